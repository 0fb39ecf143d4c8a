-- oldest: 9
-- What somebody told all devices of a group. Each device has a row of its own in commands, which names the batch.
CREATE TABLE command_batches (
	id         TEXT PRIMARY KEY,
	actor_id   TEXT NOT NULL REFERENCES users, -- whose the group is
	key        TEXT NOT NULL, -- idempotency key of the actor
	name       TEXT NOT NULL, -- of the group
	room_id    TEXT NOT NULL, -- empty: in none
	seq        BIGINT NOT NULL, -- of its line in the room
	action     TEXT NOT NULL,
	args       TEXT NOT NULL, -- JSON
	devices    BIGINT NOT NULL, -- how many the group had
	refused    TEXT NOT NULL, -- domain.Refusal, as JSON
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	told_at    BIGINT NOT NULL, -- when the room was last told of a change
	untold     BOOLEAN NOT NULL, -- there was one since, which the room is told of soon
	trace      TEXT NOT NULL,
	UNIQUE (actor_id, key)
);
CREATE INDEX command_batches_actor ON command_batches (actor_id, id);
CREATE INDEX command_batches_line ON command_batches (room_id, seq) WHERE room_id <> '';
CREATE INDEX command_batches_untold ON command_batches (told_at) WHERE untold;
CREATE INDEX command_batches_created ON command_batches (created_at);
ALTER TABLE commands ADD COLUMN batch_id TEXT NOT NULL DEFAULT ''; -- that it is a part of; empty: of none
CREATE INDEX commands_batch ON commands (batch_id) WHERE batch_id <> '';
