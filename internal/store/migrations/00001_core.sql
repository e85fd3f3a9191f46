-- +goose Up

-- Accounts are walls. Each table carries account_id, each key begins with it,
-- foreign keys include it, and row-level security shows a connection the rows
-- of one account alone (the setting baton.account_id; '*' is the system).
-- Superusers are exempt from row-level security, so they work as baton_app.
-- +goose StatementBegin
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'baton_app') THEN
    CREATE ROLE baton_app NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;      -- another database's migration was first
  WHEN insufficient_privilege THEN NULL;                    -- not needed: this user is bound by the policies
END
$$;
-- +goose StatementEnd

-- What the current connection works for; NULL when nothing was said.
CREATE FUNCTION baton_account() RETURNS uuid
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(nullif(current_setting('baton.account_id', true), ''), '*')::uuid $$;

CREATE FUNCTION baton_is_system() RETURNS boolean
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT coalesce(current_setting('baton.account_id', true) = '*', false) $$;

CREATE TABLE accounts (
  account_id uuid        PRIMARY KEY,
  name       text        NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE TABLE teams (
  account_id uuid        NOT NULL REFERENCES accounts,
  id         uuid        NOT NULL,
  name       text        NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, id)
);

CREATE TABLE users (
  account_id  uuid        NOT NULL REFERENCES accounts,
  id          uuid        NOT NULL,
  team_id     uuid,
  subject     text,
  email       text        NOT NULL CHECK (email = lower(email)),
  name        text        NOT NULL,
  role        text        NOT NULL CHECK (role IN ('viewer', 'engineer', 'admin', 'owner')),
  disabled_at timestamptz,
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL,
  PRIMARY KEY (account_id, id),
  FOREIGN KEY (account_id, team_id) REFERENCES teams (account_id, id)
);
CREATE UNIQUE INDEX users_subject ON users (subject) WHERE subject IS NOT NULL;
CREATE UNIQUE INDEX users_account_email ON users (account_id, email);
CREATE INDEX users_email ON users (email); -- sign-in knows no account yet

CREATE TABLE ai_sessions (
  account_id   uuid        NOT NULL REFERENCES accounts,
  id           uuid        NOT NULL,
  team_id      uuid,
  owner_id     uuid        NOT NULL,
  title        text        NOT NULL,
  client_name  text        NOT NULL,
  problem      text        NOT NULL,
  psa_ticket   text,
  status       text        NOT NULL CHECK (status IN ('active', 'parked', 'escalated', 'resolved')),
  step_count   integer     NOT NULL DEFAULT 0 CHECK (step_count BETWEEN 0 AND 2000),
  step_bytes   integer     NOT NULL DEFAULT 0 CHECK (step_bytes BETWEEN 0 AND 1048576),
  request_hash bytea,
  created_at   timestamptz NOT NULL,
  updated_at   timestamptz NOT NULL,
  PRIMARY KEY (account_id, id),
  FOREIGN KEY (account_id, owner_id) REFERENCES users (account_id, id),
  FOREIGN KEY (account_id, team_id) REFERENCES teams (account_id, id)
);
CREATE INDEX ai_sessions_newest ON ai_sessions (account_id, created_at DESC, id DESC);
CREATE INDEX ai_sessions_status ON ai_sessions (account_id, status, created_at DESC, id DESC);
CREATE INDEX ai_sessions_owner ON ai_sessions (account_id, owner_id, created_at DESC, id DESC);

CREATE TABLE session_steps (
  account_id uuid        NOT NULL,
  session_id uuid        NOT NULL,
  id         uuid        NOT NULL,
  seq        integer     NOT NULL CHECK (seq >= 1),
  at         timestamptz NOT NULL,
  actor      text        NOT NULL CHECK (actor IN ('engineer', 'assistant', 'user', 'system')),
  kind       text        NOT NULL CHECK (kind IN ('message', 'command', 'observation', 'note')),
  text       text        NOT NULL,
  outcome    text        CHECK (outcome IN ('worked', 'no_change', 'worse', 'inconclusive')),
  PRIMARY KEY (account_id, session_id, id),
  UNIQUE (account_id, session_id, seq),
  FOREIGN KEY (account_id, session_id) REFERENCES ai_sessions (account_id, id)
);

CREATE TABLE handoffs (
  account_id     uuid        NOT NULL,
  id             uuid        NOT NULL,
  session_id     uuid        NOT NULL,
  team_id        uuid,
  intent         text        NOT NULL CHECK (intent IN ('park', 'escalate')),
  priority       smallint    NOT NULL CHECK (priority BETWEEN 1 AND 4),
  status         text        NOT NULL CHECK (status IN ('starting', 'queued', 'claimed', 'resolved', 'cancelled')),
  generation     integer     NOT NULL CHECK (generation >= 1),
  version        integer     NOT NULL CHECK (version >= 0),
  engineer_notes text        NOT NULL,
  target_user_id uuid,
  handed_off_by  uuid        NOT NULL,
  claimed_by     uuid,
  claimed_at     timestamptz,
  resolved_at    timestamptz,
  resolution     text,
  request_hash   bytea       NOT NULL,
  created_at     timestamptz NOT NULL,
  updated_at     timestamptz NOT NULL,
  PRIMARY KEY (account_id, id),
  FOREIGN KEY (account_id, session_id) REFERENCES ai_sessions (account_id, id),
  FOREIGN KEY (account_id, handed_off_by) REFERENCES users (account_id, id),
  FOREIGN KEY (account_id, team_id) REFERENCES teams (account_id, id),
  CHECK ((status = 'starting') = (version = 0)),
  CHECK (status <> 'claimed' OR (claimed_by IS NOT NULL AND claimed_at IS NOT NULL)),
  CHECK (status <> 'queued' OR claimed_by IS NULL),
  CHECK (status <> 'resolved' OR resolved_at IS NOT NULL)
);
-- One open handoff per session, whatever else goes wrong.
CREATE UNIQUE INDEX handoffs_one_open ON handoffs (account_id, session_id) WHERE status IN ('queued', 'claimed');
-- The queue's orders, and the two halves of "mine".
CREATE INDEX handoffs_queue ON handoffs (account_id, priority DESC, created_at, id) WHERE status = 'queued';
CREATE INDEX handoffs_queue_age ON handoffs (account_id, created_at, id) WHERE status = 'queued';
CREATE INDEX handoffs_target ON handoffs (account_id, target_user_id, priority DESC, created_at, id) WHERE status = 'queued' AND target_user_id IS NOT NULL;
CREATE INDEX handoffs_team ON handoffs (account_id, team_id, priority DESC, created_at, id) WHERE status = 'queued';
CREATE INDEX handoffs_claimed ON handoffs (account_id, priority DESC, created_at, id) WHERE status = 'claimed';
CREATE INDEX handoffs_holder ON handoffs (account_id, claimed_by) WHERE status = 'claimed';
CREATE INDEX handoffs_history ON handoffs (account_id, session_id, created_at DESC, id DESC);
CREATE INDEX handoffs_starting ON handoffs (updated_at) WHERE status = 'starting';

CREATE TABLE handoff_transitions (
  account_id     uuid        NOT NULL,
  handoff_id     uuid        NOT NULL,
  version        integer     NOT NULL CHECK (version >= 1),
  verb           text        NOT NULL,
  door           text        NOT NULL,
  actor_id       uuid        NOT NULL,
  at             timestamptz NOT NULL,
  generation     integer     NOT NULL,
  status         text        NOT NULL,
  holder_id      uuid,
  target_user_id uuid,
  request_id     text        NOT NULL,           -- empty for what no Update asked for
  note           text,
  PRIMARY KEY (account_id, handoff_id, version),
  FOREIGN KEY (account_id, handoff_id) REFERENCES handoffs (account_id, id)
);

-- Free text that came with a request, until its transition is projected.
CREATE TABLE transition_inputs (
  account_id   uuid        NOT NULL,
  handoff_id   uuid        NOT NULL,
  request_id   text        NOT NULL,
  request_hash bytea       NOT NULL,
  note         text,
  created_at   timestamptz NOT NULL,
  PRIMARY KEY (account_id, handoff_id, request_id),
  FOREIGN KEY (account_id, handoff_id) REFERENCES handoffs (account_id, id)
);

CREATE TABLE handoff_effects (
  account_id      uuid        NOT NULL,
  handoff_id      uuid        NOT NULL,
  kind            text        NOT NULL,
  state           text        NOT NULL CHECK (state IN ('pending', 'retrying', 'done', 'failed', 'skipped')),
  reason          text,
  attempts        integer     NOT NULL,
  next_attempt_at timestamptz,
  updated_at      timestamptz NOT NULL,
  PRIMARY KEY (account_id, handoff_id, kind),
  FOREIGN KEY (account_id, handoff_id) REFERENCES handoffs (account_id, id)
);

CREATE TABLE handoff_documentation (
  account_id uuid        NOT NULL,
  handoff_id uuid        NOT NULL,
  markdown   text        NOT NULL,
  plain      text        NOT NULL,
  truncated  boolean     NOT NULL,
  step_count integer     NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, handoff_id),
  FOREIGN KEY (account_id, handoff_id) REFERENCES handoffs (account_id, id)
);

-- The feed. The head's row is locked to take the next number, as the last
-- statement of the transaction, so numbers follow the order of commits and
-- have no gaps. A sequence would give neither.
CREATE TABLE feed_heads (
  account_id uuid   PRIMARY KEY REFERENCES accounts,
  epoch      bigint NOT NULL DEFAULT floor(extract(epoch FROM clock_timestamp()) * 1000),
  last_seq   bigint NOT NULL DEFAULT 0
);

CREATE TABLE feed_events (
  account_id uuid        NOT NULL REFERENCES accounts,
  seq        bigint      NOT NULL,
  type       text        NOT NULL,
  handoff_id uuid        NOT NULL,
  data       json        NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, seq)
);
CREATE INDEX feed_events_age ON feed_events USING brin (created_at);

-- +goose StatementBegin
DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['accounts', 'teams', 'users', 'ai_sessions', 'session_steps', 'handoffs',
    'handoff_transitions', 'transition_inputs', 'handoff_effects', 'handoff_documentation', 'feed_heads', 'feed_events']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (account_id = baton_account() OR baton_is_system())', t);
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'baton_app') THEN
      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO baton_app', t);
    END IF;
  END LOOP;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'baton_app') THEN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO baton_app', current_schema());
  END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE feed_events, feed_heads, handoff_documentation, handoff_effects, transition_inputs,
  handoff_transitions, handoffs, session_steps, ai_sessions, users, teams, accounts;
DROP FUNCTION baton_account(), baton_is_system();
