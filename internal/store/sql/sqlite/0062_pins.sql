-- oldest: 9
-- Pinned messages. A node from before this step deletes a message and leaves its pin: no message that was deleted
-- is listed, and what was purged takes it along when a newer node purges next.
CREATE TABLE pins (
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq     BIGINT NOT NULL, -- of the message
	user_id TEXT NOT NULL REFERENCES users, -- who pinned it
	at      BIGINT NOT NULL,
	event   BIGINT NOT NULL, -- number of the event that tells of it
	PRIMARY KEY (room_id, seq)
) WITHOUT ROWID;
