-- oldest: 9
-- Names and pictures that webhooks give their messages. A node from before this step shows the webhook's own; one from
-- before that deletes a message leaves them in its row, and nobody is told of them.
ALTER TABLE events ADD COLUMN face TEXT; -- JSON; NULL: none
ALTER TABLE incoming_hooks ADD COLUMN faces BOOLEAN NOT NULL DEFAULT FALSE; -- its messages may have some
-- Their pictures, made small, by the addresses where they were.
CREATE TABLE face_pictures (
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	user_id TEXT NOT NULL REFERENCES users, -- the webhook
	url     TEXT NOT NULL,
	id      TEXT NOT NULL UNIQUE, -- random; face/ID refers to its file
	hash    TEXT NOT NULL,
	type    TEXT NOT NULL,
	at      BIGINT NOT NULL,
	PRIMARY KEY (user_id, url)
);
CREATE INDEX face_pictures_room ON face_pictures (room_id);
