-- oldest: 9
-- What was begun stands on the account as it was then: a higher epoch ends it.
ALTER TABLE flows ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
-- Earlier addresses of accounts, which nobody else gets for a while.
CREATE INDEX tickets_undo ON tickets (data) WHERE kind = 'email_undo';
