-- oldest: 9
-- Bots: accounts of programs, which belong to a person. They sign in by tokens alone.
CREATE TABLE bots (
	id         TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE,
	owner_id   TEXT NOT NULL REFERENCES users,
	created_at BIGINT NOT NULL
);
CREATE INDEX bots_owner ON bots (owner_id, id);
CREATE TABLE bot_tokens (
	id         TEXT PRIMARY KEY,
	bot_id     TEXT NOT NULL REFERENCES bots ON DELETE CASCADE,
	name       TEXT NOT NULL,
	hash       BYTEA NOT NULL UNIQUE,
	can_read   BOOLEAN NOT NULL,
	can_write  BOOLEAN NOT NULL,
	rooms      TEXT NOT NULL DEFAULT '', -- ids, separated by spaces; empty: all that the bot is in
	created_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL DEFAULT 0 -- about when it was last used
);
CREATE INDEX bot_tokens_bot ON bot_tokens (bot_id, id);
