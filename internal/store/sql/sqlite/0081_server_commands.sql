-- oldest: 9
-- Slash commands of all rooms, as administrators make them. Each is a user, who comes into a room when it answers there.
CREATE TABLE server_commands (
	id          TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE, -- as whom it answers
	name        TEXT NOT NULL UNIQUE, -- without the slash
	description TEXT NOT NULL,
	hint        TEXT NOT NULL,
	url         TEXT NOT NULL,
	kind        TEXT NOT NULL, -- of the rooms that have it; empty: public and private ones
	guests      BOOLEAN NOT NULL, -- guests may use it
	created_by  TEXT NOT NULL REFERENCES users, -- who stands for it
	created_at  BIGINT NOT NULL,
	generation  BIGINT NOT NULL DEFAULT 1, -- of its secret
	rotated_at  BIGINT NOT NULL DEFAULT 0, -- when the secret was replaced
	off         TEXT NOT NULL DEFAULT '', -- why nobody is asked
	used_at     BIGINT NOT NULL DEFAULT 0, -- about when the receiver last answered
	failed_at   BIGINT NOT NULL DEFAULT 0, -- about when it last failed
	failure     TEXT NOT NULL DEFAULT '' -- what was wrong then
);
CREATE INDEX server_commands_maker ON server_commands (created_by);
-- Commands of all rooms that people have written, as long as their receivers may answer.
CREATE TABLE server_runs (
	secret_hash BLOB PRIMARY KEY, -- of the address for answers
	command_id  TEXT NOT NULL REFERENCES server_commands ON DELETE CASCADE,
	room_id     TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE, -- where it was written
	user_id     TEXT NOT NULL REFERENCES users ON DELETE CASCADE, -- who wrote it
	thread      BIGINT NOT NULL, -- in which it was written; 0: in none
	expires_at  BIGINT NOT NULL,
	uses        BIGINT NOT NULL -- answers that are left
);
CREATE INDEX server_runs_command ON server_runs (command_id);
CREATE INDEX server_runs_room ON server_runs (room_id);
CREATE INDEX server_runs_user ON server_runs (user_id);
CREATE INDEX server_runs_expires ON server_runs (expires_at);
