-- oldest: 9
-- Screening of messages. A node from before this step flags nothing, and leaves the flags that there are.
ALTER TABLE rooms ADD COLUMN screen_rough BIGINT NOT NULL DEFAULT 0; -- per cent; 0: never
ALTER TABLE rooms ADD COLUMN screen_spam BIGINT NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN flagged BIGINT; -- of a message: score and reason; NULL: it has no flag
