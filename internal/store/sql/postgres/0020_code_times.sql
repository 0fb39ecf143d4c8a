-- oldest: 9
-- When recovery codes were made: whoever undoes a change of their address does away
-- with those that were made since. 0: before this step, or by an older program.
ALTER TABLE recovery_codes ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
