-- oldest: 9
-- Patches that make an image (target) of another one (base) of a product. sha256 is empty if one was tried, and is
-- not worth it; else its reference is delta/PRODUCT/BASE/TARGET.
CREATE TABLE firmware_deltas (
	product_id TEXT NOT NULL REFERENCES firmware_products ON DELETE CASCADE,
	base       TEXT NOT NULL,
	target     TEXT NOT NULL,
	format     TEXT NOT NULL,
	sha256     TEXT NOT NULL,
	size       BIGINT NOT NULL,
	made_at    BIGINT NOT NULL,
	PRIMARY KEY (product_id, base, target, format)
);
CREATE INDEX firmware_deltas_hash ON firmware_deltas (sha256);
