-- +goose Up

-- What a service answered to a notification the last time: a status of HTTP or
-- SMTP, and when.
ALTER TABLE deliveries ADD COLUMN answer integer, ADD COLUMN answered_at timestamptz;

-- The last ones of a channel.
CREATE INDEX deliveries_endpoint ON deliveries (account_id, endpoint_id, created_at DESC) WHERE endpoint_id IS NOT NULL;

-- +goose Down
DROP INDEX deliveries_endpoint;
ALTER TABLE deliveries DROP COLUMN answer, DROP COLUMN answered_at;
