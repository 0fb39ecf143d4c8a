-- oldest: 9
-- Tokens by which devices get their own keys, one of each device.
CREATE TABLE device_claims (
	device_id  TEXT PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
	hash       BLOB NOT NULL UNIQUE, -- HMAC-SHA256 of the token
	claimant   BLOB, -- HMAC-SHA256 of the nonce of who has used it; NULL: nobody
	expires_at BIGINT NOT NULL
);
