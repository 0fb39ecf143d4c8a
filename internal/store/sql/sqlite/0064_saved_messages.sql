-- oldest: 9
-- What a person keeps for themselves. A node from before this step leaves rows here of messages that it deletes and
-- of rooms that it takes somebody out of: none of these is listed.
CREATE TABLE saved_messages (
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq     BIGINT NOT NULL, -- of the message
	at      BIGINT NOT NULL, -- when it was saved
	PRIMARY KEY (user_id, room_id, seq)
) WITHOUT ROWID;
CREATE INDEX saved_messages_at ON saved_messages (user_id, at, room_id, seq);
CREATE INDEX saved_messages_message ON saved_messages (room_id, seq);
-- What they have begun to write.
CREATE TABLE drafts (
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	thread  BIGINT NOT NULL, -- number of its first message; 0: of the room
	text    TEXT NOT NULL,
	version BIGINT NOT NULL, -- Unix milliseconds of the change, or one more than the version before
	PRIMARY KEY (user_id, room_id, thread)
) WITHOUT ROWID;
CREATE INDEX drafts_room ON drafts (room_id);
