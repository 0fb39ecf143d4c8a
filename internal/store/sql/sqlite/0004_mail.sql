-- Mails on their way. What they say holds links that are secrets: it is sealed,
-- and dropped as soon as the mail is sent or given up.
CREATE TABLE mails (
	id         TEXT PRIMARY KEY,
	recipient  TEXT NOT NULL,
	template   TEXT NOT NULL,
	data       BLOB NOT NULL,
	state      TEXT NOT NULL DEFAULT 'waiting', -- waiting, sent, failed
	attempts   BIGINT NOT NULL DEFAULT 0,
	created_at BIGINT NOT NULL,
	next_at    BIGINT NOT NULL, -- not before; while somebody sends it, when their claim ends
	give_up_at BIGINT NOT NULL,
	ended_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX mails_due ON mails (next_at) WHERE state = 'waiting';

-- Notices of which nobody wants more than one in a while.
CREATE TABLE mail_notices (
	name TEXT PRIMARY KEY,
	at   BIGINT NOT NULL
);

-- CAPTCHAs that were solved and used, until they expire by themselves.
CREATE TABLE captchas (
	id         BLOB PRIMARY KEY,
	expires_at BIGINT NOT NULL
);
CREATE INDEX captchas_expires ON captchas (expires_at);
