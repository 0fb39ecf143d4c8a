-- oldest: 9
-- What messages mean, as vectors, for search. A node from before this step makes none, and leaves what is here; the
-- vector of a message that it edits or deletes goes by the trigger.
CREATE TABLE message_vectors (
	pos    INTEGER PRIMARY KEY REFERENCES events ON DELETE CASCADE, -- of the message in the log
	room   BIGINT NOT NULL, -- its number in search_rooms
	change BIGINT NOT NULL, -- numbers the vectors in the order in which they are committed
	code   BLOB NOT NULL    -- a byte for each number of the vector
);
CREATE UNIQUE INDEX message_vectors_change ON message_vectors (change);
CREATE TRIGGER message_vectors_edited AFTER UPDATE OF text ON events BEGIN
	DELETE FROM message_vectors WHERE pos = NEW.pos;
END;
CREATE TABLE vector_build (
	model  TEXT NOT NULL,   -- that the vectors are of; empty: there are none
	change BIGINT NOT NULL, -- of the newest vector
	todo   BIGINT NOT NULL  -- the messages up to this position are still to be looked at
);
INSERT INTO vector_build VALUES ('', 0, 0);
