-- oldest: 9
-- How people arrange their rooms. A node from before this step leaves rooms here in which somebody is no longer: nobody
-- is shown them.
CREATE TABLE room_sections (
	user_id  TEXT NOT NULL PRIMARY KEY REFERENCES users ON DELETE CASCADE,
	version  BIGINT NOT NULL, -- Unix milliseconds of the change, or one more than the version before
	sections TEXT NOT NULL -- JSON
);
