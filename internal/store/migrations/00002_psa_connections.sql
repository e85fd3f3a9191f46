-- +goose Up

-- An account's connection to its PSA. The credentials, and the secret part of
-- the callbacks' address, are sealed with a key that the database does not have.
CREATE TABLE psa_connections (
  account_id      uuid        PRIMARY KEY REFERENCES accounts,
  kind            text        NOT NULL CHECK (kind IN ('connectwise', 'autotask', 'halopsa')),
  address         text        NOT NULL,
  options         json        NOT NULL,
  sealed          bytea       NOT NULL,
  key_id          text        NOT NULL,
  credentials_set json        NOT NULL, -- which credentials there are, and since when
  callback_hash   bytea       NOT NULL, -- finds the account of a callback
  version         bigint      NOT NULL CHECK (version >= 1),
  state           text        NOT NULL CHECK (state IN ('unknown', 'ok', 'broken')),
  reason          text,
  cure            text,
  state_at        timestamptz NOT NULL,
  created_at      timestamptz NOT NULL,
  created_by      uuid        NOT NULL,
  updated_at      timestamptz NOT NULL,
  updated_by      uuid        NOT NULL,
  FOREIGN KEY (account_id, created_by) REFERENCES users (account_id, id),
  FOREIGN KEY (account_id, updated_by) REFERENCES users (account_id, id),
  CHECK ((state = 'broken') = (reason IS NOT NULL))
);
CREATE UNIQUE INDEX psa_connections_callback ON psa_connections (callback_hash);
CREATE INDEX psa_connections_key ON psa_connections (key_id); -- for a rotation

-- What the PSA last said about the ticket of a handoff.
CREATE TABLE handoff_tickets (
  account_id uuid        NOT NULL,
  handoff_id uuid        NOT NULL,
  ticket_id  text        NOT NULL,
  status     text        NOT NULL,
  closed     boolean     NOT NULL,
  owner      text,
  noted_at   timestamptz NOT NULL,
  PRIMARY KEY (account_id, handoff_id),
  FOREIGN KEY (account_id, handoff_id) REFERENCES handoffs (account_id, id)
);
-- A callback finds its handoffs by what the PSA, and by what people call the ticket.
CREATE INDEX handoff_tickets_ticket ON handoff_tickets (account_id, ticket_id);
CREATE INDEX ai_sessions_ticket ON ai_sessions (account_id, psa_ticket) WHERE psa_ticket IS NOT NULL;

-- +goose StatementBegin
DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['psa_connections', 'handoff_tickets']
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
DROP INDEX ai_sessions_ticket;
DROP TABLE handoff_tickets, psa_connections;
