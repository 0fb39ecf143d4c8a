-- A device is a member of rooms like anybody else, and so has a row in users
-- with the same id, of kind 'device', which has no password and no e-mail
-- address. This table says whose it is.
CREATE TABLE devices (
	id         TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE,
	owner_id   TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL DEFAULT 0,
	revoked_at BIGINT NOT NULL DEFAULT 0,
	reason     TEXT NOT NULL DEFAULT ''
);
CREATE INDEX devices_owner ON devices (owner_id, id);
CREATE INDEX devices_expires ON devices (expires_at) WHERE expires_at <> 0;

-- The secret has 190 random bits: nobody guesses it from a plain keyed hash, and
-- ten thousand devices that come back at once are let in quickly.
CREATE TABLE device_keys (
	id           TEXT PRIMARY KEY, -- public part of the key
	device_id    TEXT NOT NULL REFERENCES devices ON DELETE CASCADE,
	hash         BLOB NOT NULL,    -- HMAC-SHA256 of the whole key
	pepper       BIGINT NOT NULL,  -- version of the HMAC's key
	created_at   BIGINT NOT NULL,
	expires_at   BIGINT NOT NULL DEFAULT 0,
	revoked_at   BIGINT NOT NULL DEFAULT 0,
	reason       TEXT NOT NULL DEFAULT '',
	last_used_at BIGINT NOT NULL DEFAULT 0,
	last_ip      TEXT NOT NULL DEFAULT ''
);
CREATE INDEX device_keys_device ON device_keys (device_id);
CREATE INDEX device_keys_expires ON device_keys (expires_at) WHERE expires_at <> 0;
CREATE INDEX device_keys_revoked ON device_keys (revoked_at) WHERE revoked_at <> 0;
