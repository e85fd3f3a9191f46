-- +goose Up

-- The means by which an account tells people: its own mail server, its Slack
-- workspace, workflows of Teams, webhooks. The credentials are sealed with a key
-- that the database does not have.
CREATE TABLE endpoints (
  account_id      uuid        NOT NULL REFERENCES accounts,
  id              uuid        NOT NULL,
  kind            text        NOT NULL CHECK (kind IN ('email', 'slack', 'teams', 'webhook')),
  name            text        NOT NULL,
  options         json        NOT NULL,
  sealed          bytea       NOT NULL,
  key_id          text        NOT NULL,
  credentials_set json        NOT NULL, -- which credentials there are, and since when
  workspace       text,                 -- Slack's id of the workspace, which finds the endpoint of a pressed button
  version         bigint      NOT NULL CHECK (version >= 1),
  state           text        NOT NULL CHECK (state IN ('unknown', 'ok', 'broken', 'disabled')),
  reason          text,
  cure            text,
  state_at        timestamptz NOT NULL,
  created_at      timestamptz NOT NULL,
  created_by      uuid        NOT NULL,
  updated_at      timestamptz NOT NULL,
  updated_by      uuid        NOT NULL,
  PRIMARY KEY (account_id, id),
  FOREIGN KEY (account_id, created_by) REFERENCES users (account_id, id),
  FOREIGN KEY (account_id, updated_by) REFERENCES users (account_id, id)
);
CREATE UNIQUE INDEX endpoints_name ON endpoints (account_id, lower(name));
CREATE INDEX endpoints_workspace ON endpoints (workspace) WHERE workspace IS NOT NULL;
CREATE INDEX endpoints_key ON endpoints (key_id); -- for a rotation

-- How a person wants to be told; without a row, as Baton does for everybody.
CREATE TABLE notification_settings (
  account_id uuid        NOT NULL,
  user_id    uuid        NOT NULL,
  settings   json        NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, user_id),
  FOREIGN KEY (account_id, user_id) REFERENCES users (account_id, id)
);

-- One notification to one recipient over one channel. The id is made of what it
-- is about, so that announcing it again finds it.
CREATE TABLE deliveries (
  account_id      uuid        NOT NULL,
  id              uuid        NOT NULL,
  handoff_id      uuid        NOT NULL,
  session_id      uuid        NOT NULL,
  generation      integer     NOT NULL,
  version         integer     NOT NULL,
  step            text        NOT NULL,
  kind            text        NOT NULL,
  because         text        NOT NULL, -- which audience the recipient belongs to
  recipient       text        NOT NULL, -- the id of the user or endpoint
  user_id         uuid,
  endpoint_id     uuid,                 -- no foreign key: what was sent stays when the channel goes
  channel         text        NOT NULL CHECK (channel IN ('email', 'slack', 'teams', 'webhook')),
  priority        smallint    NOT NULL,
  state           text        NOT NULL CHECK (state IN ('pending', 'held', 'retrying', 'done', 'failed', 'skipped')),
  reason          text,
  attempts        integer     NOT NULL,
  next_attempt_at timestamptz,
  held_until      timestamptz,
  released_at     timestamptz,          -- when it was let go to be sent
  began_at        timestamptz,          -- an attempt began whose outcome is not known
  bundle_id       uuid,                 -- the message that told of several at once
  provider_id     text,
  provider_where  text,
  shown_version   integer,              -- of the handoff, when what was sent was changed to say what became of it
  due             timestamptz,
  next            text        NOT NULL,
  created_at      timestamptz NOT NULL,
  updated_at      timestamptz NOT NULL,
  done_at         timestamptz,
  PRIMARY KEY (account_id, id),
  FOREIGN KEY (account_id, handoff_id) REFERENCES handoffs (account_id, id),
  FOREIGN KEY (account_id, user_id) REFERENCES users (account_id, id)
);
CREATE INDEX deliveries_handoff ON deliveries (account_id, handoff_id);
CREATE INDEX deliveries_open ON deliveries (account_id, recipient) WHERE state IN ('pending', 'held', 'retrying');
CREATE INDEX deliveries_released ON deliveries (account_id, recipient, released_at) WHERE released_at IS NOT NULL;
CREATE INDEX deliveries_shown ON deliveries (account_id, recipient) WHERE state = 'done' AND channel = 'slack' AND shown_version IS NULL;
CREATE INDEX deliveries_created ON deliveries (account_id, created_at); -- for reports

-- +goose StatementBegin
DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['endpoints', 'notification_settings', 'deliveries']
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
DROP TABLE deliveries, notification_settings, endpoints;
