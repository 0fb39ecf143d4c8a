-- oldest: 9
-- What devices say about themselves, as JSON (domain.Capabilities). A device that has said
-- nothing has no row.
CREATE TABLE device_capabilities (
	device_id    TEXT PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
	described_at BIGINT NOT NULL, -- when it last said something else than before
	data         TEXT NOT NULL
);
