-- oldest: 9
-- Mails that sum up what people missed, for those who want them. A node from before this step makes none; others do. It
-- leaves what is here of accounts that it deletes, which have no address.
CREATE TABLE digests (
	user_id TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE,
	every   TEXT NOT NULL,   -- never, day or week
	weekday BIGINT NOT NULL, -- of a week: 0 is Sunday
	minute  BIGINT NOT NULL, -- of the day, by clocks of the zone
	zone    TEXT NOT NULL,
	claim   BIGINT NOT NULL, -- counts changes, and who has claimed it
	due_at  BIGINT NOT NULL  -- when it is made next; 0: never
);
CREATE INDEX digests_due ON digests (due_at) WHERE due_at > 0;
-- Up to where digests have told of a room.
CREATE TABLE digest_marks (
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	told    BIGINT NOT NULL, -- number of an event
	PRIMARY KEY (user_id, room_id)
);
CREATE INDEX digest_marks_room ON digest_marks (room_id);
