-- oldest: 9
-- Until when somebody may not write in a room, whether they are in it or not: who
-- leaves and comes back is muted still.
CREATE TABLE mutes (
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	until   BIGINT NOT NULL,
	PRIMARY KEY (room_id, user_id)
);
INSERT INTO mutes (room_id, user_id, until) SELECT room_id, user_id, muted_until FROM members WHERE muted_until <> 0;
