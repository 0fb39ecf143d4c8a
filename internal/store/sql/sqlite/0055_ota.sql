-- oldest: 9
-- Devices that know only other protocols for updates: what their owner says of them, since they cannot.
CREATE TABLE device_ota (
	device_id  TEXT PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
	owner_id   TEXT NOT NULL REFERENCES users, -- who said so; void when the device has another one
	product_id TEXT NOT NULL REFERENCES firmware_products ON DELETE CASCADE,
	chip       TEXT NOT NULL,
	revision   BIGINT NOT NULL,
	link       TEXT NOT NULL, -- random; the signature of the device's link is of this, too
	attributes TEXT NOT NULL DEFAULT '{}', -- what the device says of itself, as JSON: configData of hawkBit
	created_at BIGINT NOT NULL
);
CREATE INDEX device_ota_product ON device_ota (product_id);

-- Hashes that clients of other protocols check by. Empty: not computed yet.
ALTER TABLE firmware_images ADD COLUMN md5 TEXT NOT NULL DEFAULT '';
ALTER TABLE firmware_images ADD COLUMN sha1 TEXT NOT NULL DEFAULT '';
CREATE INDEX firmware_images_md5 ON firmware_images (md5) WHERE md5 <> '';
