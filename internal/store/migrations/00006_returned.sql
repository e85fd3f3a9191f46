-- +goose Up

-- A handoff that was returned to its sender with questions waits for the
-- answer. Meanwhile, and for a while after, it is addressed to who asked.
ALTER TABLE handoffs
  ADD COLUMN questions text,                     -- those that it was last returned with
  ADD COLUMN answer text,                        -- to these
  ADD COLUMN reserved_until timestamptz,         -- between an answer and a claim: nobody but the target may claim before
  DROP CONSTRAINT handoffs_status_check,
  ADD CONSTRAINT handoffs_status_check CHECK (status IN ('starting', 'queued', 'claimed', 'returned', 'resolved', 'cancelled')),
  ADD CONSTRAINT handoffs_returned_check CHECK (status <> 'returned' OR (claimed_by IS NULL AND target_user_id IS NOT NULL)),
  ADD CONSTRAINT handoffs_reserved_check CHECK (reserved_until IS NULL OR (status = 'queued' AND target_user_id IS NOT NULL));
ALTER TABLE handoff_transitions ADD COLUMN reserved_until timestamptz;

DROP INDEX handoffs_one_open;
CREATE UNIQUE INDEX handoffs_one_open ON handoffs (account_id, session_id) WHERE status IN ('queued', 'claimed', 'returned');
CREATE INDEX handoffs_returned ON handoffs (account_id, priority DESC, created_at, id) WHERE status = 'returned';

ALTER TABLE psa_steps
  DROP CONSTRAINT psa_steps_step_check,
  ADD CONSTRAINT psa_steps_step_check CHECK (step IN ('escalated', 'claimed', 'released', 'resolved', 'returned', 'answered'));

-- +goose Down
-- Refused while there are such handoffs: an older Baton could not show them.
ALTER TABLE psa_steps
  DROP CONSTRAINT psa_steps_step_check,
  ADD CONSTRAINT psa_steps_step_check CHECK (step IN ('escalated', 'claimed', 'released', 'resolved'));
DROP INDEX handoffs_returned, handoffs_one_open;
CREATE UNIQUE INDEX handoffs_one_open ON handoffs (account_id, session_id) WHERE status IN ('queued', 'claimed');
ALTER TABLE handoff_transitions DROP COLUMN reserved_until;
ALTER TABLE handoffs
  DROP CONSTRAINT handoffs_reserved_check,
  DROP CONSTRAINT handoffs_returned_check,
  DROP CONSTRAINT handoffs_status_check,
  ADD CONSTRAINT handoffs_status_check CHECK (status IN ('starting', 'queued', 'claimed', 'resolved', 'cancelled')),
  DROP COLUMN reserved_until, DROP COLUMN answer, DROP COLUMN questions;
