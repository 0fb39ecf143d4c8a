-- oldest: 9
-- Slash commands: words that members of a room write after a slash, and addresses that are asked then. Each is a member
-- of the room, and ends with that.
CREATE TABLE slash_commands (
	id         TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE, -- who it is in the room
	room_id    TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	name       TEXT NOT NULL, -- without the slash
	description       TEXT NOT NULL,
	hint       TEXT NOT NULL,
	url        TEXT NOT NULL,
	created_by TEXT NOT NULL REFERENCES users,
	created_at BIGINT NOT NULL,
	generation BIGINT NOT NULL DEFAULT 1, -- of its secret
	rotated_at BIGINT NOT NULL DEFAULT 0, -- when the secret was replaced
	off        TEXT NOT NULL DEFAULT '', -- why nobody is asked
	used_at    BIGINT NOT NULL DEFAULT 0, -- about when the receiver last answered
	failed_at  BIGINT NOT NULL DEFAULT 0, -- about when it last failed
	failure    TEXT NOT NULL DEFAULT '', -- what was wrong then
	UNIQUE (room_id, name),
	FOREIGN KEY (room_id, id) REFERENCES members (room_id, user_id) ON DELETE CASCADE
);
CREATE INDEX slash_commands_maker ON slash_commands (created_by);
-- Commands that people have written, as long as their receivers may answer.
CREATE TABLE slash_runs (
	secret_hash BLOB PRIMARY KEY, -- of the address for answers
	command_id  TEXT NOT NULL REFERENCES slash_commands ON DELETE CASCADE,
	user_id     TEXT NOT NULL REFERENCES users ON DELETE CASCADE, -- who wrote it
	thread      BIGINT NOT NULL, -- in which it was written; 0: in none
	expires_at  BIGINT NOT NULL,
	uses        BIGINT NOT NULL -- answers that are left
);
CREATE INDEX slash_runs_command ON slash_runs (command_id);
CREATE INDEX slash_runs_user ON slash_runs (user_id);
CREATE INDEX slash_runs_expires ON slash_runs (expires_at);
