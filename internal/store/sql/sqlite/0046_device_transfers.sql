-- oldest: 9
-- Devices that their owners offer to others.
CREATE TABLE device_transfers (
	device_id  TEXT PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
	from_user  TEXT NOT NULL REFERENCES users,
	to_user    TEXT NOT NULL REFERENCES users,
	at         BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	hidden     BOOLEAN NOT NULL -- from to_user, who has blocked from_user
);
CREATE INDEX device_transfers_to ON device_transfers (to_user);
CREATE INDEX device_transfers_from ON device_transfers (from_user);
ALTER TABLE devices ADD COLUMN transferred_at BIGINT NOT NULL DEFAULT 0; -- when the owner got it from another; 0: never
