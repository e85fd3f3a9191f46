-- +goose Up

-- When somebody should have claimed the generation that waits, by the policy of
-- its ladder.
ALTER TABLE handoff_ladders ADD COLUMN claim_by timestamptz;

-- Who looks at which handoff now. It may be forgotten at any time, as after a
-- crash, and costs no write-ahead log.
CREATE UNLOGGED TABLE handoff_presence (
  account_id uuid        NOT NULL,
  handoff_id uuid        NOT NULL,
  user_id    uuid        NOT NULL,
  seen_at    timestamptz NOT NULL,
  PRIMARY KEY (account_id, handoff_id, user_id),
  FOREIGN KEY (account_id, handoff_id) REFERENCES handoffs (account_id, id) ON DELETE CASCADE,
  FOREIGN KEY (account_id, user_id) REFERENCES users (account_id, id) ON DELETE CASCADE
);

ALTER TABLE handoff_presence ENABLE ROW LEVEL SECURITY;
ALTER TABLE handoff_presence FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON handoff_presence USING (account_id = baton_account() OR baton_is_system());
-- +goose StatementBegin
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'baton_app') THEN
    GRANT SELECT, INSERT, UPDATE, DELETE ON handoff_presence TO baton_app;
  END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE handoff_presence;
ALTER TABLE handoff_ladders DROP COLUMN claim_by;
