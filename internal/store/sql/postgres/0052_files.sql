-- oldest: 9
-- Files that people post. A node from before this step deletes a message and leaves its rows in attachments: they
-- show nowhere, and newer nodes forget them when they purge next.
CREATE TABLE files (
	id           TEXT PRIMARY KEY,
	owner_id     TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	room_id      TEXT NOT NULL, -- that it was uploaded for
	name         TEXT NOT NULL,
	folded       TEXT NOT NULL, -- the name as it is searched
	size         BIGINT NOT NULL,
	type         TEXT NOT NULL DEFAULT '', -- media type, by its content
	kind         TEXT NOT NULL DEFAULT '',
	state        TEXT NOT NULL, -- uploading, ready, gone
	width        BIGINT NOT NULL DEFAULT 0,
	height       BIGINT NOT NULL DEFAULT 0,
	duration_ms  BIGINT NOT NULL DEFAULT 0,
	thumb_hash   TEXT NOT NULL DEFAULT '',
	thumb_width  BIGINT NOT NULL DEFAULT 0,
	thumb_height BIGINT NOT NULL DEFAULT 0,
	created_at   BIGINT NOT NULL,
	expires_at   BIGINT NOT NULL -- if no message has it by then; 0: one has
);
CREATE INDEX files_owner ON files (owner_id, size);
CREATE INDEX files_expires ON files (expires_at) WHERE expires_at > 0;
CREATE INDEX files_created ON files (created_at) WHERE expires_at = 0 AND state = 'ready';
-- What a file consists of.
CREATE TABLE file_parts (
	file_id TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
	n       BIGINT NOT NULL, -- from 0
	size    BIGINT NOT NULL,
	sha256  TEXT NOT NULL,
	PRIMARY KEY (file_id, n)
);
-- The files of messages.
CREATE TABLE attachments (
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq     BIGINT NOT NULL, -- of the message
	n       BIGINT NOT NULL, -- from 0
	file_id TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
	PRIMARY KEY (room_id, seq, n)
);
CREATE INDEX attachments_file ON attachments (file_id);
-- The files of messages that were deleted in rooms under a legal hold, which no member can see.
CREATE TABLE held_files (
	room_id    TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq        BIGINT NOT NULL,
	n          BIGINT NOT NULL,
	file_id    TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
	by_id      TEXT NOT NULL, -- who deleted the message
	deleted_at BIGINT NOT NULL,
	PRIMARY KEY (room_id, seq, n)
);
CREATE INDEX held_files_file ON held_files (file_id);
-- How many files a message has.
ALTER TABLE events ADD COLUMN attached BIGINT NOT NULL DEFAULT 0;
