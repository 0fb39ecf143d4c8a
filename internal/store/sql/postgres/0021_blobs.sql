-- oldest: 9
-- Files that are kept by content. The bytes of a row are an object, on disk, in S3 or in
-- blob_data, whose name is never used again.
--
-- Pictures of people become such files: a server of this version moves the rows of avatars
-- here after its start. Servers of the version before go on, and show no picture that was
-- moved or set meanwhile. The table avatars goes in a later step.
CREATE TABLE blobs (
	hash       TEXT PRIMARY KEY, -- SHA-256, in hex
	size       BIGINT NOT NULL,
	type       TEXT NOT NULL,
	object     TEXT NOT NULL UNIQUE,
	created_at BIGINT NOT NULL,
	touched_at BIGINT NOT NULL -- when it was last added or referred to
);
CREATE INDEX blobs_touched ON blobs (touched_at);

-- Who needs a blob. One without such a row goes a day after it was touched.
CREATE TABLE blob_refs (
	holder   TEXT NOT NULL, -- avatar/USER
	hash     TEXT NOT NULL REFERENCES blobs,
	owner_id TEXT NOT NULL, -- whose quota counts it
	PRIMARY KEY (holder, hash)
);
CREATE INDEX blob_refs_hash ON blob_refs (hash);
CREATE INDEX blob_refs_owner ON blob_refs (owner_id);

-- Objects whose rows are gone, until they are deleted too.
CREATE TABLE blob_garbage (object TEXT PRIMARY KEY);

-- Objects of a server with PostgreSQL and without S3, in parts.
CREATE TABLE blob_data (
	object     TEXT NOT NULL,
	part       BIGINT NOT NULL, -- from 0; each but the last has a megabyte
	size       BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	data       BYTEA NOT NULL,
	PRIMARY KEY (object, part)
);
