-- Certificates that the nodes fetched, with their keys, sealed; and who of them is
-- fetching one.
CREATE TABLE certificates (
	name        TEXT COLLATE "C" PRIMARY KEY,
	value       BYTEA NOT NULL,
	modified_at BIGINT NOT NULL
);

CREATE TABLE certificate_locks (
	name     TEXT COLLATE "C" PRIMARY KEY,
	owner    TEXT NOT NULL,
	until_at BIGINT NOT NULL
);
