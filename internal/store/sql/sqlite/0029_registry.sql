-- oldest: 9
-- What the owner of a device says about it, and when it comes back from a planned absence.
ALTER TABLE devices ADD COLUMN type TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN notes TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN tags TEXT NOT NULL DEFAULT ''; -- each between two spaces
ALTER TABLE devices ADD COLUMN suspended_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN away_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN away_reason TEXT NOT NULL DEFAULT '';

-- For search, beside the whole description.
ALTER TABLE device_capabilities ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE device_capabilities ADD COLUMN serial TEXT NOT NULL DEFAULT '';

-- The last connections of each device, once they have ended.
CREATE TABLE device_connections (
	id        TEXT PRIMARY KEY,
	device_id TEXT NOT NULL REFERENCES devices,
	key_id    TEXT NOT NULL,
	addr      TEXT NOT NULL,
	opened_at BIGINT NOT NULL,
	closed_at BIGINT NOT NULL,
	reason    TEXT NOT NULL
);
CREATE INDEX device_connections_device ON device_connections (device_id, id);
