-- oldest: 9
-- Reactions to messages. A node from before this step deletes a message and leaves its reactions: no message
-- that was deleted shows any, and what was purged takes them along when a newer node purges next.
CREATE TABLE reactions (
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq     BIGINT NOT NULL, -- of the message
	emoji   TEXT NOT NULL,
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	at      BIGINT NOT NULL,
	event   BIGINT NOT NULL, -- number of the event that tells of it
	since   BIGINT NOT NULL, -- the same of whoever was the first to give this emoji to the message
	PRIMARY KEY (room_id, seq, emoji, user_id)
);
CREATE INDEX reactions_user ON reactions (user_id, room_id, seq);
-- The number of the last event that changed the reactions to a message; 0: there never were any.
ALTER TABLE events ADD COLUMN reacted BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reactions SET (autovacuum_vacuum_scale_factor = 0.02);
