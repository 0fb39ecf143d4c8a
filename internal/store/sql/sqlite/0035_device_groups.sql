-- oldest: 9
-- Groups of the devices of one owner: by hand, with members, or by a rule (domain.GroupRule, as JSON)
-- that is applied whenever somebody looks.
CREATE TABLE device_groups (
	id         TEXT PRIMARY KEY,
	owner_id   TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	name       TEXT NOT NULL,
	rule       TEXT NOT NULL DEFAULT '', -- empty: by hand
	created_at BIGINT NOT NULL,
	UNIQUE (owner_id, name)
);
CREATE TABLE device_group_members (
	group_id  TEXT NOT NULL REFERENCES device_groups ON DELETE CASCADE,
	device_id TEXT NOT NULL REFERENCES devices ON DELETE CASCADE,
	PRIMARY KEY (group_id, device_id)
);
CREATE INDEX device_group_members_device ON device_group_members (device_id);
