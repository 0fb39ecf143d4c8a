-- oldest: 9
-- What messages forward. The text of a message has the copy, so that a node from before this step shows it; such a node
-- deletes a message without its row here: no message that was deleted shows what it forwarded, and what was purged takes
-- the row along when a newer node purges next.
CREATE TABLE forwards (
	room_id   TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq       BIGINT NOT NULL, -- of the message
	from_room TEXT NOT NULL, -- of the original, which may be gone
	from_seq  BIGINT NOT NULL,
	user_id   TEXT NOT NULL REFERENCES users, -- who said it
	at        BIGINT NOT NULL, -- when they did
	note      BIGINT NOT NULL, -- bytes of the text of the message that are the forwarder's own
	cut       BOOLEAN NOT NULL, -- more was said
	PRIMARY KEY (room_id, seq)
) WITHOUT ROWID;
