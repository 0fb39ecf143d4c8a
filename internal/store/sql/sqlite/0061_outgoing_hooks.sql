-- oldest: 9
-- Outgoing webhooks: addresses to which what happens in a room is sent. Each is a member of the room, and ends with that.
CREATE TABLE outgoing_hooks (
	id         TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE, -- who it is in the room
	room_id    TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	url        TEXT NOT NULL,
	types      TEXT NOT NULL, -- of events, apart by commas
	programs   BOOLEAN NOT NULL, -- also what bots and webhooks do
	created_by TEXT NOT NULL REFERENCES users,
	created_at BIGINT NOT NULL,
	after_seq  BIGINT NOT NULL, -- events from before it was made, or switched on, are not sent
	generation BIGINT NOT NULL DEFAULT 1, -- of its secret
	rotated_at BIGINT NOT NULL DEFAULT 0, -- when the secret was replaced
	off        TEXT NOT NULL DEFAULT '', -- why nothing is sent
	sent_at    BIGINT NOT NULL DEFAULT 0, -- when something was last taken
	failed_at  BIGINT NOT NULL DEFAULT 0, -- since when nothing is
	failure    TEXT NOT NULL DEFAULT '',
	due_at     BIGINT NOT NULL DEFAULT 0, -- when it is tried next; 0: nothing waits
	lease      BIGINT NOT NULL DEFAULT 0, -- until when a node sends for it
	FOREIGN KEY (room_id, id) REFERENCES members (room_id, user_id) ON DELETE CASCADE
);
CREATE INDEX outgoing_hooks_room ON outgoing_hooks (room_id, id);
CREATE INDEX outgoing_hooks_maker ON outgoing_hooks (created_by);
CREATE INDEX outgoing_hooks_due ON outgoing_hooks (due_at) WHERE due_at > 0;
-- What they send, and have sent.
CREATE TABLE hook_deliveries (
	hook_id  TEXT NOT NULL REFERENCES outgoing_hooks ON DELETE CASCADE,
	id       TEXT NOT NULL, -- the same for each attempt
	event    BIGINT NOT NULL, -- its number in the room; 0: a test
	type     TEXT NOT NULL,
	at       BIGINT NOT NULL, -- of the event
	state    TEXT NOT NULL,
	manual   BOOLEAN NOT NULL, -- somebody asked for it: it is tried once
	tries    BIGINT NOT NULL DEFAULT 0,
	tried_at BIGINT NOT NULL DEFAULT 0,
	duration BIGINT NOT NULL DEFAULT 0, -- milliseconds
	status   BIGINT NOT NULL DEFAULT 0,
	answer   TEXT NOT NULL DEFAULT '', -- its first bytes
	failure  TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (hook_id, id)
);
CREATE INDEX hook_deliveries_waiting ON hook_deliveries (hook_id, event) WHERE state = 'waiting';
CREATE INDEX hook_deliveries_at ON hook_deliveries (hook_id, at);
