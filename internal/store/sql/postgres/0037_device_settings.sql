-- oldest: 9
-- What is to be set on each device, and what it says is set.
CREATE TABLE device_settings (
	device_id   TEXT PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
	version     BIGINT NOT NULL, -- of desired
	desired     TEXT NOT NULL,   -- an object
	changed_at  BIGINT NOT NULL,
	applied     BIGINT NOT NULL, -- the last version that the device says it has taken
	reported    TEXT NOT NULL,   -- an object
	errors      TEXT NOT NULL,   -- an object of texts, by setting
	reported_at BIGINT NOT NULL
);
CREATE INDEX device_settings_open ON device_settings (changed_at) WHERE applied < version;
