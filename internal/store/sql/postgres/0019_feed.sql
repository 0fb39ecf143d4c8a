-- oldest: 9
-- How far each consumer of the feed has come, and what it set aside.
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

-- What was appended, a row for each statement, until it gets its number in the feed.
-- A trigger writes it, so that servers of the version before do so too; but not while
-- there is nobody to read it.
CREATE TABLE feed_pending (
	id  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	pos BIGINT[] NOT NULL -- of events
);
CREATE TABLE feed_batches (
	n   BIGINT PRIMARY KEY,
	pos BIGINT[] NOT NULL
);
CREATE TABLE feed_places (version BIGINT NOT NULL, last BIGINT NOT NULL); -- last number; version: always 0
INSERT INTO feed_places VALUES (0, 0);
CREATE FUNCTION feed_append() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT 1 FROM feed_cursors) THEN
		INSERT INTO feed_pending (pos) SELECT array_agg(pos ORDER BY pos) FROM added HAVING count(*) > 0;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER feed_append AFTER INSERT ON events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION feed_append();
