-- oldest: 9
-- Scheduled messages that repeat, and what repeats on a day of each month. A node from before this step sends none of
-- these messages, others do; a monthly reminder that such a node has come does not come again.
ALTER TABLE scheduled_messages ADD COLUMN zone TEXT NOT NULL DEFAULT ''; -- of one that repeats; empty: it is sent once
ALTER TABLE scheduled_messages ADD COLUMN minute BIGINT NOT NULL DEFAULT 0; -- of the day, by clocks of the zone
ALTER TABLE scheduled_messages ADD COLUMN weekdays BIGINT NOT NULL DEFAULT 0; -- a bit for each, Sunday is 1
ALTER TABLE scheduled_messages ADD COLUMN month_day BIGINT NOT NULL DEFAULT 0; -- 0: it repeats by weekdays
ALTER TABLE scheduled_messages ADD COLUMN again_at BIGINT NOT NULL DEFAULT 0; -- due_at if it repeats
ALTER TABLE scheduled_messages ADD COLUMN paused BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE reminders ADD COLUMN month_day BIGINT NOT NULL DEFAULT 0;
CREATE INDEX scheduled_messages_again ON scheduled_messages (again_at) WHERE again_at > 0;
