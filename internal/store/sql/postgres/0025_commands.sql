-- oldest: 9
-- What people tell devices to do. The row is the truth about a command; its line in a room, if it
-- has one, is changed in the same transaction.
CREATE TABLE commands (
	id         TEXT PRIMARY KEY,
	device_id  TEXT NOT NULL REFERENCES devices,
	actor_id   TEXT NOT NULL REFERENCES users,
	key        TEXT NOT NULL, -- idempotency key of the actor
	room_id    TEXT NOT NULL, -- empty: the owner gave it, in no room
	seq        BIGINT NOT NULL, -- of its line in the room
	action     TEXT NOT NULL,
	args       TEXT NOT NULL, -- JSON
	state      TEXT NOT NULL,
	progress   BIGINT, -- percent
	result     TEXT, -- JSON
	error      TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	changed_at BIGINT NOT NULL,
	told_at    BIGINT NOT NULL, -- when the room was last told of a change
	expires_at BIGINT NOT NULL,
	due_at     BIGINT NOT NULL, -- when the server gives up on it; 0: it has ended
	UNIQUE (actor_id, key)
);
CREATE INDEX commands_device ON commands (device_id, id);
CREATE INDEX commands_open ON commands (device_id) WHERE due_at <> 0;
CREATE INDEX commands_due ON commands (due_at) WHERE due_at <> 0;
CREATE INDEX commands_line ON commands (room_id, seq) WHERE room_id <> '';
CREATE INDEX commands_ended ON commands (changed_at) WHERE due_at = 0;
