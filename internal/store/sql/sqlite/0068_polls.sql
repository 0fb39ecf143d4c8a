-- oldest: 9
-- Polls, each of which is a message. A node from before this step shows its text, and deletes it without its rows here:
-- no message that was deleted shows a poll, and what was purged takes them along when a newer node purges next.
CREATE TABLE polls (
	room_id   TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq       BIGINT NOT NULL, -- of the message
	question  TEXT NOT NULL,
	choices   TEXT NOT NULL, -- JSON: texts
	multiple  BOOLEAN NOT NULL, -- one may vote for several
	anonymous BOOLEAN NOT NULL, -- nobody is told who voted for what
	closes_at BIGINT NOT NULL, -- Unix milliseconds; 0: not by itself
	closed_at BIGINT NOT NULL DEFAULT 0, -- when somebody closed it; 0: nobody has
	event     BIGINT NOT NULL DEFAULT 0, -- number of the last event that changed it; 0: none has
	PRIMARY KEY (room_id, seq)
) WITHOUT ROWID;
CREATE TABLE poll_votes (
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq     BIGINT NOT NULL, -- of the message
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	choices BIGINT NOT NULL, -- bits; the lowest is the first choice
	at      BIGINT NOT NULL,
	PRIMARY KEY (room_id, seq, user_id)
) WITHOUT ROWID;
CREATE INDEX poll_votes_user ON poll_votes (user_id, room_id, seq);
