-- +goose Up

-- Whether the ticket was ever seen open during the handoff: one that was closed
-- while somebody worked on it is still one that people closed when it comes
-- back to the queue.
ALTER TABLE handoff_tickets ADD COLUMN seen_open boolean NOT NULL DEFAULT false;
SET LOCAL baton.account_id = '*'; -- row-level security holds for the owner as well
UPDATE handoff_tickets SET seen_open = true WHERE NOT closed;

-- +goose Down
ALTER TABLE handoff_tickets DROP COLUMN seen_open;
