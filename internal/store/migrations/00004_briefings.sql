-- +goose Up

-- What a handoff's claimer is told of its session: version after version, the
-- newest counts. The content is free of credentials.
CREATE TABLE briefings (
  account_id     uuid        NOT NULL,
  handoff_id     uuid        NOT NULL,
  version        integer     NOT NULL CHECK (version >= 1),
  source         text        NOT NULL CHECK (source IN ('rules', 'model')),
  content        json        NOT NULL,
  digest         bytea       NOT NULL, -- of the content, to tell a repeated one
  step_count     integer     NOT NULL, -- how many steps of the session it knows
  model          text,
  prompt_version text,
  created_at     timestamptz NOT NULL,
  PRIMARY KEY (account_id, handoff_id, version),
  FOREIGN KEY (account_id, handoff_id) REFERENCES handoffs (account_id, id),
  CHECK ((source = 'model') = (model IS NOT NULL))
);
CREATE INDEX briefings_created ON briefings (account_id, created_at); -- for reports

-- Every call of a model, from before it was made: what was sent is paid for,
-- also when nobody saw the answer.
CREATE TABLE model_calls (
  account_id      uuid        NOT NULL,
  id              uuid        NOT NULL,
  handoff_id      uuid        NOT NULL,
  model           text        NOT NULL,
  prompt_version  text        NOT NULL,
  state           text        NOT NULL CHECK (state IN ('under_way', 'used', 'unusable', 'failed')),
  reason          text,                          -- the class of what went wrong
  input_tokens    bigint      NOT NULL DEFAULT 0,
  cached_tokens   bigint      NOT NULL DEFAULT 0,
  output_tokens   bigint      NOT NULL DEFAULT 0,
  cost_micro_usd  bigint      NOT NULL,          -- an estimate while under way
  latency_ms      bigint      NOT NULL DEFAULT 0,
  started_at      timestamptz NOT NULL,
  ended_at        timestamptz,
  PRIMARY KEY (account_id, id),
  FOREIGN KEY (account_id, handoff_id) REFERENCES handoffs (account_id, id)
);
CREATE INDEX model_calls_month ON model_calls (account_id, started_at);

-- How useful a briefing was, by whoever claimed the handoff.
CREATE TABLE briefing_grades (
  account_id uuid        NOT NULL,
  handoff_id uuid        NOT NULL,
  version    integer     NOT NULL,
  user_id    uuid        NOT NULL,
  useful     boolean,
  wrong      text,
  cause      text        CHECK (cause IN ('right', 'one_step_short', 'right_area', 'wrong')),
  graded_at  timestamptz NOT NULL,
  PRIMARY KEY (account_id, handoff_id, version, user_id),
  FOREIGN KEY (account_id, handoff_id, version) REFERENCES briefings (account_id, handoff_id, version),
  FOREIGN KEY (account_id, user_id) REFERENCES users (account_id, id)
);

-- What an account wants of models; without a row, what the installation allows.
CREATE TABLE briefing_settings (
  account_id        uuid        PRIMARY KEY REFERENCES accounts,
  use_model         boolean     NOT NULL,
  monthly_micro_usd bigint      CHECK (monthly_micro_usd >= 0),
  updated_at        timestamptz NOT NULL,
  updated_by        uuid        NOT NULL,
  FOREIGN KEY (account_id, updated_by) REFERENCES users (account_id, id)
);

-- What the effect 'briefing' has made; the other effects leave them NULL.
ALTER TABLE handoff_effects ADD COLUMN version integer, ADD COLUMN source text, ADD COLUMN step_count integer;

-- Makes the placeholders of an account's credentials its own, so that they can
-- be compared inside the account and guessed by nobody outside.
ALTER TABLE accounts ADD COLUMN redaction_key bytea NOT NULL
  DEFAULT decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');

-- +goose StatementBegin
DO $$
DECLARE
  t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['briefings', 'model_calls', 'briefing_grades', 'briefing_settings']
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
ALTER TABLE accounts DROP COLUMN redaction_key;
ALTER TABLE handoff_effects DROP COLUMN version, DROP COLUMN source, DROP COLUMN step_count;
DROP TABLE briefing_settings, briefing_grades, model_calls, briefings;
