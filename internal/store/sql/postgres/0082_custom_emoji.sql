-- oldest: 9
-- Emoji that people add to the server. A node from before this step shows their names, serves their pictures, and
-- refuses new reactions by them.
CREATE TABLE custom_emoji (
	id         TEXT PRIMARY KEY,
	name       TEXT NOT NULL UNIQUE,
	picture    TEXT NOT NULL, -- first half of the hash of its file, which avatar/ID refers to
	user_id    TEXT NOT NULL REFERENCES users,
	created_at BIGINT NOT NULL
);
CREATE INDEX custom_emoji_user ON custom_emoji (user_id);
