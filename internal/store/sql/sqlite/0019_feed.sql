-- oldest: 9
-- How far each consumer of the feed has come in the log, and what it set aside.
CREATE TABLE feed_cursors (
	name        TEXT PRIMARY KEY,
	pos         BIGINT NOT NULL,
	owner       TEXT NOT NULL,
	lease_until BIGINT NOT NULL,
	updated_at  BIGINT NOT NULL
);
CREATE TABLE feed_asides (
	consumer TEXT NOT NULL,
	entry    TEXT NOT NULL, -- room/number
	cause    TEXT NOT NULL,
	at       BIGINT NOT NULL,
	retry    BOOLEAN NOT NULL,
	PRIMARY KEY (consumer, entry)
);

-- The places of the newest rows are given again once these are deleted. Then their
-- version rises, and no cursor stands behind the end of the log.
CREATE TABLE feed_places (version BIGINT NOT NULL);
INSERT INTO feed_places VALUES (0);
CREATE TRIGGER feed_places AFTER DELETE ON events WHEN OLD.pos > (SELECT COALESCE(max(pos), 0) FROM events) BEGIN
	UPDATE feed_places SET version = version + 1;
	UPDATE feed_cursors SET pos = min(pos, (SELECT COALESCE(max(pos), 0) FROM events));
END;
