-- oldest: 9
-- How owners of devices join a product of somebody else: by its code, or, if it is open, by its id.
ALTER TABLE firmware_products ADD COLUMN open BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE firmware_products ADD COLUMN code TEXT NOT NULL DEFAULT ''; -- empty: there is none
CREATE UNIQUE INDEX firmware_products_code ON firmware_products (code) WHERE code <> '';

-- Devices whose owners have said yes to a product of somebody else. Of one that has changed hands it counts no more.
CREATE TABLE firmware_joins (
	device_id    TEXT PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
	product_id   TEXT NOT NULL REFERENCES firmware_products ON DELETE CASCADE,
	product      TEXT NOT NULL, -- its name
	publisher_id TEXT NOT NULL REFERENCES users, -- its owner
	agreed_by    TEXT NOT NULL, -- the owner of the device
	ask          BOOLEAN NOT NULL, -- about each release
	joined_at    BIGINT NOT NULL
);
CREATE INDEX firmware_joins_product ON firmware_joins (product_id, device_id);
