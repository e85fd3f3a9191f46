-- +goose Up

-- Who is called when, where an account wants it otherwise than by default: one
-- rule for everything, for a priority, for a team, or for both. The rule is
-- that of package ladder.
CREATE TABLE ladder_policies (
  account_id uuid        NOT NULL REFERENCES accounts,
  scope      text        NOT NULL, -- names team and priority
  team_id    uuid,
  priority   smallint    CHECK (priority BETWEEN 1 AND 4),
  rule       json        NOT NULL,
  updated_at timestamptz NOT NULL,
  updated_by uuid        NOT NULL,
  PRIMARY KEY (account_id, scope),
  FOREIGN KEY (account_id, team_id) REFERENCES teams (account_id, id),
  FOREIGN KEY (account_id, updated_by) REFERENCES users (account_id, id)
);

-- Where the ladder of a handoff stands. The policy is a copy: what is edited
-- later is for later handoffs.
CREATE TABLE handoff_ladders (
  account_id  uuid        NOT NULL,
  handoff_id  uuid        NOT NULL,
  policy      json        NOT NULL,
  state       text        NOT NULL CHECK (state IN ('calling', 'spent', 'paused', 'held', 'ended')),
  reason      text,                 -- why it is paused
  generation  integer     NOT NULL,
  version     integer     NOT NULL, -- of the handoff that this is about
  next        text,                 -- what comes next, in words
  next_at     timestamptz,          -- and when
  lease_until timestamptz,          -- when the claim ends; NULL when it is no lease
  seen_at     timestamptz,          -- when the holder last showed activity, other than steps
  taking      integer,              -- the generation that is being taken back
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL,
  PRIMARY KEY (account_id, handoff_id),
  FOREIGN KEY (account_id, handoff_id) REFERENCES handoffs (account_id, id)
);

-- When a parked session is due.
ALTER TABLE handoffs ADD COLUMN wake_at timestamptz;

-- For the report of handoffs.
CREATE INDEX handoff_transitions_at ON handoff_transitions (account_id, at) WHERE status = 'queued';

-- +goose StatementBegin
DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['ladder_policies', 'handoff_ladders']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (account_id = baton_account() OR baton_is_system())', t);
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'baton_app') THEN
      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO baton_app', t);
    END IF;
  END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP INDEX handoff_transitions_at;
ALTER TABLE handoffs DROP COLUMN wake_at;
DROP TABLE handoff_ladders, ladder_policies;
