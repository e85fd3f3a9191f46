-- +goose Up

-- How the customer's ticket is told of a handoff, step by step: one row for
-- each transition. The effect 'psa' of the handoff is the sum of its steps.
CREATE TABLE psa_steps (
  account_id      uuid        NOT NULL,
  handoff_id      uuid        NOT NULL,
  version         integer     NOT NULL CHECK (version >= 1),
  step            text        NOT NULL CHECK (step IN ('escalated', 'claimed', 'released', 'resolved')),
  state           text        NOT NULL CHECK (state IN ('pending', 'retrying', 'done', 'failed', 'skipped')),
  ticket_id       text,                          -- as the PSA's API calls it
  note_id         text,
  attempts        integer     NOT NULL,
  reason          text,
  next_attempt_at timestamptz,
  updated_at      timestamptz NOT NULL,
  PRIMARY KEY (account_id, handoff_id, version),
  FOREIGN KEY (account_id, handoff_id) REFERENCES handoffs (account_id, id)
);

-- What the effect 'psa' has made; the other effects leave them NULL.
ALTER TABLE handoff_effects ADD COLUMN ticket_id text, ADD COLUMN note_id text;

-- +goose StatementBegin
DO $$
BEGIN
  ALTER TABLE psa_steps ENABLE ROW LEVEL SECURITY;
  ALTER TABLE psa_steps FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON psa_steps USING (account_id = baton_account() OR baton_is_system());
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'baton_app') THEN
    GRANT SELECT, INSERT, UPDATE, DELETE ON psa_steps TO baton_app;
  END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
ALTER TABLE handoff_effects DROP COLUMN ticket_id, DROP COLUMN note_id;
DROP TABLE psa_steps;
