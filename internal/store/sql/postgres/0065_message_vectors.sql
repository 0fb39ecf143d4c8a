-- oldest: 9
-- What messages mean, as vectors, for search. A node from before this step makes none, and leaves what is here; the
-- vector of a message that it edits or deletes goes by the triggers.
CREATE TABLE message_vectors (
	pos    BIGINT PRIMARY KEY, -- of the message in the log
	room   BIGINT NOT NULL,    -- its number in search_rooms
	change BIGINT NOT NULL,    -- numbers the vectors in the order in which they are committed
	code   BYTEA NOT NULL      -- a byte for each number of the vector
);
ALTER TABLE message_vectors ALTER COLUMN code SET STORAGE PLAIN; -- it does not get smaller
CREATE UNIQUE INDEX message_vectors_change ON message_vectors (change);
CREATE FUNCTION message_vectors_edited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM message_vectors WHERE pos = NEW.pos;
	RETURN NULL;
END $$;
CREATE TRIGGER message_vectors_edited AFTER UPDATE OF text ON events FOR EACH ROW EXECUTE FUNCTION message_vectors_edited();
CREATE OR REPLACE FUNCTION events_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM search USING gone WHERE search.pos = gone.pos;
	DELETE FROM message_vectors v USING gone WHERE v.pos = gone.pos;
	RETURN NULL;
END $$;
CREATE TABLE vector_build (
	model  TEXT NOT NULL,   -- that the vectors are of; empty: there are none
	change BIGINT NOT NULL, -- of the newest vector
	todo   BIGINT NOT NULL  -- the messages up to this position are still to be looked at
);
INSERT INTO vector_build VALUES ('', 0, 0);
