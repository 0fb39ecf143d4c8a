-- oldest: 9
-- Groups of people that messages mention together. A node from before this step does not know their handles: somebody
-- who registers there may take one as a username, and a mention then means both; and it leaves accounts here that it
-- deletes, which are in no room and are mentioned nowhere.
CREATE TABLE user_groups (
	id         TEXT PRIMARY KEY,
	handle     TEXT NOT NULL UNIQUE, -- lower case, no username
	name       TEXT NOT NULL,
	skeleton   TEXT NOT NULL, -- of the handle
	created_at BIGINT NOT NULL -- Unix milliseconds
) WITHOUT ROWID;
CREATE INDEX user_groups_skeleton ON user_groups (skeleton);
CREATE TABLE user_group_members (
	group_id TEXT NOT NULL REFERENCES user_groups ON DELETE CASCADE,
	user_id  TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
CREATE INDEX user_group_members_user ON user_group_members (user_id);
