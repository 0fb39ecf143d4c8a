-- oldest: 9
-- What of a device was refused or went wrong, and why: a row for each different thing.
CREATE TABLE device_log (
	device_id TEXT NOT NULL REFERENCES devices ON DELETE CASCADE,
	kind      TEXT NOT NULL,
	subject   TEXT NOT NULL,
	reason    TEXT NOT NULL,
	detail    TEXT NOT NULL, -- of the last time
	count     BIGINT NOT NULL,
	first_at  BIGINT NOT NULL,
	last_at   BIGINT NOT NULL,
	PRIMARY KEY (device_id, kind, subject, reason)
);
