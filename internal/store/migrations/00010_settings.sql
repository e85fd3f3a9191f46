-- +goose Up

-- A service is an integration: it never signs in, and acts by API keys.
ALTER TABLE users
  ADD COLUMN kind text NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service')),
  ADD CONSTRAINT users_service CHECK (kind = 'person' OR subject IS NULL AND role <> 'owner');

-- Keys by which scripts act as a user. Of the key itself there is a digest
-- alone. A revoked one stays, because the audit log names it.
CREATE TABLE api_keys (
  account_id   uuid        NOT NULL REFERENCES accounts,
  id           uuid        NOT NULL,
  user_id      uuid        NOT NULL, -- whom it acts as
  name         text        NOT NULL,
  prefix       text        NOT NULL, -- how the key begins
  hash         bytea       NOT NULL CHECK (length(hash) = 32),
  role         text        NOT NULL CHECK (role IN ('viewer', 'engineer', 'admin')),
  expires_at   timestamptz,
  last_used_at timestamptz,          -- to the minute
  created_at   timestamptz NOT NULL,
  created_by   uuid        NOT NULL,
  revoked_at   timestamptz,
  PRIMARY KEY (account_id, id),
  FOREIGN KEY (account_id, user_id) REFERENCES users (account_id, id),
  FOREIGN KEY (account_id, created_by) REFERENCES users (account_id, id)
);
CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash); -- a request knows no account yet
CREATE UNIQUE INDEX api_keys_name ON api_keys (account_id, lower(name)) WHERE revoked_at IS NULL;

-- Who changed which setting. It is written with the change, and then final.
CREATE TABLE audit_log (
  account_id   uuid        NOT NULL REFERENCES accounts,
  id           uuid        NOT NULL,
  at           timestamptz NOT NULL,
  action       text        NOT NULL,
  actor_kind   text        NOT NULL CHECK (actor_kind IN ('user', 'api_key', 'operator', 'system')),
  actor_id     uuid,                 -- the user, also of a key
  actor_name   text,                 -- names are those of the time
  api_key_id   uuid,
  api_key_name text,
  thing_id     uuid,
  thing_name   text,
  changes      json        NOT NULL, -- [{field, secret, before, after}], without secrets
  request_id   text,
  PRIMARY KEY (account_id, id),
  FOREIGN KEY (account_id, actor_id) REFERENCES users (account_id, id),
  FOREIGN KEY (account_id, api_key_id) REFERENCES api_keys (account_id, id),
  CHECK ((actor_id IS NOT NULL) = (actor_kind IN ('user', 'api_key'))),
  CHECK ((api_key_id IS NOT NULL) = (actor_kind = 'api_key'))
);
CREATE INDEX audit_log_newest ON audit_log (account_id, at DESC, id DESC);
CREATE INDEX audit_log_actor ON audit_log (account_id, actor_id, at DESC, id DESC);

-- The owner of a table may do everything with it, whatever is granted.
-- +goose StatementBegin
CREATE FUNCTION audit_log_is_final() RETURNS trigger
  LANGUAGE plpgsql
  AS $$ BEGIN RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'insufficient_privilege'; END $$;
-- +goose StatementEnd
CREATE TRIGGER final BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_final();

-- +goose StatementBegin
DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['api_keys', 'audit_log']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (account_id = baton_account() OR baton_is_system())', t);
  END LOOP;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'baton_app') THEN
    GRANT SELECT, INSERT, UPDATE ON api_keys TO baton_app;
    GRANT SELECT, INSERT ON audit_log TO baton_app;
  END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE audit_log, api_keys;
DROP FUNCTION audit_log_is_final();
ALTER TABLE users DROP CONSTRAINT users_service, DROP COLUMN kind;
