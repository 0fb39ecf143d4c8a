-- oldest: 9
-- What firmware is for. A name is unique among the products of an owner. room_id is empty for none.
CREATE TABLE firmware_products (
	id         TEXT PRIMARY KEY,
	owner_id   TEXT NOT NULL REFERENCES users,
	name       TEXT NOT NULL,
	title      TEXT NOT NULL,
	room_id    TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	UNIQUE (owner_id, name)
);
CREATE INDEX firmware_products_room ON firmware_products (room_id) WHERE room_id <> '';

-- Signed documents with the keys that a product trusts: versions 1, 2, ... without gaps.
CREATE TABLE firmware_roots (
	product_id TEXT NOT NULL REFERENCES firmware_products ON DELETE CASCADE,
	version    BIGINT NOT NULL,
	envelope   TEXT NOT NULL, -- DSSE, as it was sent
	expires_at BIGINT NOT NULL, -- 0: never
	added_at   BIGINT NOT NULL,
	added_by   TEXT NOT NULL,
	PRIMARY KEY (product_id, version)
);

CREATE TABLE firmware_releases (
	id            TEXT PRIMARY KEY,
	product_id    TEXT NOT NULL REFERENCES firmware_products ON DELETE CASCADE,
	version       TEXT NOT NULL,
	code          BIGINT NOT NULL,
	min_code      BIGINT NOT NULL,
	floor_code    BIGINT NOT NULL,
	not_after     BIGINT NOT NULL, -- 0: never
	notes         TEXT NOT NULL,
	state         TEXT NOT NULL,
	manifest      TEXT NOT NULL, -- DSSE with the signatures so far; empty: none
	manifest_hash TEXT NOT NULL,
	created_at    BIGINT NOT NULL,
	created_by    TEXT NOT NULL,
	changed_at    BIGINT NOT NULL,
	UNIQUE (product_id, version),
	UNIQUE (product_id, code)
);

-- The files of releases. sha256 is also the hash of the file among blobs; its reference is
-- firmware/RELEASE/HASH.
CREATE TABLE firmware_images (
	release_id     TEXT NOT NULL REFERENCES firmware_releases ON DELETE CASCADE,
	sha256         TEXT NOT NULL,
	size           BIGINT NOT NULL,
	chip           TEXT NOT NULL,
	revision_min   BIGINT NOT NULL,
	revision_max   BIGINT NOT NULL,
	secure_version BIGINT NOT NULL,
	elf_sha256     TEXT NOT NULL,
	info           TEXT NOT NULL, -- JSON of domain.ImageInfo
	PRIMARY KEY (release_id, sha256)
);
CREATE INDEX firmware_images_hash ON firmware_images (sha256);

-- Files for debugging, by their own hash, which images name. The reference is elf/PRODUCT/HASH.
CREATE TABLE firmware_elfs (
	product_id TEXT NOT NULL REFERENCES firmware_products ON DELETE CASCADE,
	sha256     TEXT NOT NULL,
	size       BIGINT NOT NULL,
	added_at   BIGINT NOT NULL,
	PRIMARY KEY (product_id, sha256)
);

-- Files that arrive in parts. Their references, and that of the whole file, are upload/ID.
CREATE TABLE firmware_uploads (
	id         TEXT PRIMARY KEY,
	product_id TEXT NOT NULL REFERENCES firmware_products ON DELETE CASCADE,
	by_user    TEXT NOT NULL,
	kind       TEXT NOT NULL,
	size       BIGINT NOT NULL,
	received   BIGINT NOT NULL,
	sha256     TEXT NOT NULL,
	info       TEXT NOT NULL, -- JSON of domain.ImageInfo, of an image that is complete; else empty
	created_at BIGINT NOT NULL,
	changed_at BIGINT NOT NULL
);
CREATE INDEX firmware_uploads_changed ON firmware_uploads (changed_at);
CREATE INDEX firmware_uploads_by ON firmware_uploads (by_user);
CREATE TABLE firmware_parts (
	upload_id TEXT NOT NULL REFERENCES firmware_uploads ON DELETE CASCADE,
	start     BIGINT NOT NULL,
	size      BIGINT NOT NULL,
	sha256    TEXT NOT NULL,
	PRIMARY KEY (upload_id, start)
);
