-- oldest: 9
-- Incoming webhooks: addresses by which programs post to a room. Each is a member of the room, and ends with that.
CREATE TABLE incoming_hooks (
	id          TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE, -- who it is in the room
	room_id     TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	secret_hash BYTEA NOT NULL UNIQUE,
	created_by  TEXT NOT NULL REFERENCES users,
	created_at  BIGINT NOT NULL,
	renewed_at  BIGINT NOT NULL DEFAULT 0, -- when the secret was replaced
	used_at     BIGINT NOT NULL DEFAULT 0, -- about when it last posted
	failed_at   BIGINT NOT NULL DEFAULT 0, -- about when a request was last refused
	failure     TEXT NOT NULL DEFAULT '', -- what was wrong then
	FOREIGN KEY (room_id, id) REFERENCES members (room_id, user_id) ON DELETE CASCADE
);
CREATE INDEX incoming_hooks_room ON incoming_hooks (room_id, id);
CREATE INDEX incoming_hooks_maker ON incoming_hooks (created_by);
