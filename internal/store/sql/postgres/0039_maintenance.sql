-- oldest: 9
-- Times in which alarms are not posted: once, or each week.
CREATE TABLE maintenance_windows (
	id           TEXT PRIMARY KEY,
	owner_id     TEXT NOT NULL REFERENCES users,
	name         TEXT NOT NULL,
	device_id    TEXT NOT NULL, -- empty: any device of the owner; as type and tag
	type         TEXT NOT NULL,
	tag          TEXT NOT NULL,
	from_at      BIGINT NOT NULL, -- 0: each week
	to_at        BIGINT NOT NULL,
	weekdays     BIGINT NOT NULL, -- a bit for each, of which the lowest is Sunday
	start_minute BIGINT NOT NULL, -- after midnight
	minutes      BIGINT NOT NULL,
	zone         TEXT NOT NULL,
	created_at   BIGINT NOT NULL
);
CREATE INDEX maintenance_windows_owner ON maintenance_windows (owner_id, id);
ALTER TABLE alarms ADD COLUMN maintenance TEXT NOT NULL DEFAULT ''; -- name of the window in which it was raised
ALTER TABLE alarms ADD COLUMN held_until BIGINT NOT NULL DEFAULT 0; -- it is posted then; 0: it was, or never is
