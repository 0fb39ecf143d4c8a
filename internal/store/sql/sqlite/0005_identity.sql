-- An account waits until its e-mail address is proven, where a mail server can
-- ask for that.
ALTER TABLE users ADD COLUMN pending BOOLEAN NOT NULL DEFAULT FALSE;

-- Links in mails and invitations: whose, and what they are about.
ALTER TABLE tickets ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN data TEXT NOT NULL DEFAULT '';
CREATE INDEX tickets_user ON tickets (user_id, kind);

-- What a sign-in on its way must remember, as JSON.
ALTER TABLE flows ADD COLUMN data TEXT NOT NULL DEFAULT '';

-- Failures since the last success, by the keyed hash of what is counted: a name,
-- a name from an address, a browser, a second factor.
CREATE TABLE attempts (
	hash         BLOB PRIMARY KEY,
	failures     BIGINT NOT NULL, -- since since_at
	since_at     BIGINT NOT NULL,
	streak       BIGINT NOT NULL, -- since the last success
	strikes      BIGINT NOT NULL, -- locks in a row
	locked_until BIGINT NOT NULL,
	at           BIGINT NOT NULL
);
CREATE INDEX attempts_at ON attempts (at);

-- Authenticator apps (RFC 6238). The seed is sealed.
CREATE TABLE totp (
	user_id   TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE,
	seed      BLOB NOT NULL,
	confirmed BIGINT NOT NULL DEFAULT 0, -- when; 0: on trial until expires
	expires   BIGINT NOT NULL,
	last_step BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE recovery_codes (
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	hash    BLOB NOT NULL,
	used_at BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (user_id, hash)
);

-- Browsers that are not asked for a second factor for a while.
CREATE TABLE remembered (
	id         TEXT PRIMARY KEY,
	user_id    TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	hash       BLOB NOT NULL,
	previous   BLOB NOT NULL, -- the hash before the last use, good for a moment longer
	epoch      BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	ip         TEXT NOT NULL DEFAULT '',
	user_agent TEXT NOT NULL DEFAULT ''
);
CREATE INDEX remembered_user ON remembered (user_id);

CREATE TABLE passkeys (
	id         TEXT PRIMARY KEY, -- the credential's, in base64url
	user_id    TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	name       TEXT NOT NULL,
	credential TEXT NOT NULL, -- JSON: public key, counter, flags
	created_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX passkeys_user ON passkeys (user_id);

-- Accounts at OpenID providers that sign in as a user.
CREATE TABLE identities (
	issuer     TEXT NOT NULL,
	subject    TEXT NOT NULL,
	user_id    TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	email      TEXT NOT NULL DEFAULT '',
	created_at BIGINT NOT NULL,
	PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_user ON identities (user_id);

-- Invitations to the server.
CREATE TABLE signup_invites (
	id         TEXT PRIMARY KEY,
	hash       BLOB NOT NULL UNIQUE,
	note       TEXT NOT NULL DEFAULT '',
	created_by TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	max_uses   BIGINT NOT NULL,
	uses       BIGINT NOT NULL DEFAULT 0
);

-- What administrators change while the server runs.
CREATE TABLE settings (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL,
	by_id TEXT NOT NULL,
	at    BIGINT NOT NULL
);
