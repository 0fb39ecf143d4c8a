-- oldest: 9
-- Who is asked before they are in a room. A request that was declined stays, so that
-- it is not made again.
CREATE TABLE room_requests (
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	by_user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	state   TEXT NOT NULL DEFAULT '', -- empty: waits; declined
	at      BIGINT NOT NULL,
	PRIMARY KEY (room_id, user_id)
);
CREATE INDEX room_requests_user ON room_requests (user_id, by_user);

-- Whose requests somebody does not want to see, whatever the room.
CREATE TABLE blocks (
	user_id  TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	other_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	PRIMARY KEY (user_id, other_id)
);

-- Who has to ask this user: strangers, everyone, nobody; empty: as the server says.
ALTER TABLE users ADD COLUMN asked_by TEXT NOT NULL DEFAULT '';

-- Who made a room; empty: it is older than this column.
ALTER TABLE rooms ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
CREATE INDEX rooms_made_by ON rooms (made_by) WHERE made_by <> '';
