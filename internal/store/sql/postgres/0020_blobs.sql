-- oldest: 9
-- Files that are kept by content. The bytes of a row are an object, on disk or in S3,
-- whose name is never used again.
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
