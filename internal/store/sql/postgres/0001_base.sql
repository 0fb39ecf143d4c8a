-- Times are milliseconds since 1970 in UTC; 0 means never. Ids are made in Go.

CREATE TABLE users (
	id             TEXT PRIMARY KEY,
	kind           TEXT NOT NULL DEFAULT 'user',
	username       TEXT NOT NULL UNIQUE,
	display_name   TEXT NOT NULL,
	email          TEXT NOT NULL DEFAULT '',
	about          TEXT NOT NULL DEFAULT '',
	locale         TEXT NOT NULL DEFAULT '',
	time_zone      TEXT NOT NULL DEFAULT '',
	avatar         TEXT NOT NULL DEFAULT '',
	role           TEXT NOT NULL DEFAULT 'user',
	disabled       BOOLEAN NOT NULL DEFAULT FALSE,
	password       TEXT NOT NULL DEFAULT '', -- PHC string; empty: no password sign-in
	epoch          BIGINT NOT NULL DEFAULT 0,
	status_mode    TEXT NOT NULL DEFAULT '',
	status_text    TEXT NOT NULL DEFAULT '',
	status_emoji   TEXT NOT NULL DEFAULT '',
	status_expires BIGINT NOT NULL DEFAULT 0,
	created_at     BIGINT NOT NULL,
	last_seen_at   BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX users_email ON users (email) WHERE email <> '';

-- Pictures are kept by content, so that a path can be cached for ever.
CREATE TABLE avatars (
	hash TEXT PRIMARY KEY,
	mime TEXT NOT NULL,
	data BYTEA NOT NULL
);

CREATE TABLE sessions (
	id           TEXT PRIMARY KEY,
	user_id      TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	created_at   BIGINT NOT NULL,
	last_seen_at BIGINT NOT NULL,
	idle_expires BIGINT NOT NULL,
	expires_at   BIGINT NOT NULL, -- absolute
	auth_at      BIGINT NOT NULL, -- last proof of identity
	amr          TEXT NOT NULL,   -- RFC 8176 methods, space separated
	ip           TEXT NOT NULL DEFAULT '',
	user_agent   TEXT NOT NULL DEFAULT '',
	revoked_at   BIGINT NOT NULL DEFAULT 0,
	reason       TEXT NOT NULL DEFAULT ''
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE refresh_tokens (
	hash       BYTEA PRIMARY KEY, -- HMAC-SHA256 of the token
	session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
	created_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

-- A sign-in on its way: what has been proven, and what is still asked for.
CREATE TABLE flows (
	id         TEXT PRIMARY KEY,
	hash       BYTEA NOT NULL UNIQUE, -- HMAC-SHA256 of the ticket
	kind       TEXT NOT NULL,
	user_id    TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	state      TEXT NOT NULL,
	amr        TEXT NOT NULL DEFAULT '',
	attempts   BIGINT NOT NULL DEFAULT 0,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX flows_expires ON flows (expires_at);

-- Single-use secrets that are not sign-ins: the first administrator's link.
CREATE TABLE tickets (
	hash       BYTEA PRIMARY KEY,
	kind       TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);

CREATE TABLE rooms (
	id         TEXT PRIMARY KEY,
	kind       TEXT NOT NULL,
	name       TEXT NOT NULL DEFAULT '',
	topic      TEXT NOT NULL DEFAULT '',
	archived   BOOLEAN NOT NULL DEFAULT FALSE,
	head       BIGINT NOT NULL DEFAULT 0,
	members    BIGINT NOT NULL DEFAULT 0,
	direct_key TEXT UNIQUE, -- of direct rooms: the members' ids, sorted and joined
	created_at BIGINT NOT NULL,
	last_at    BIGINT NOT NULL
);
CREATE INDEX rooms_public ON rooms (lower(name), id) WHERE kind = 'public';

CREATE TABLE members (
	room_id     TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	user_id     TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	role        TEXT NOT NULL,
	muted_until BIGINT NOT NULL DEFAULT 0,
	read_seq    BIGINT NOT NULL DEFAULT 0,
	joined_at   BIGINT NOT NULL,
	PRIMARY KEY (room_id, user_id)
);
CREATE INDEX members_user ON members (user_id, room_id);

CREATE TABLE bans (
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	by_user TEXT NOT NULL,
	reason  TEXT NOT NULL DEFAULT '',
	at      BIGINT NOT NULL,
	PRIMARY KEY (room_id, user_id)
);

CREATE TABLE invites (
	id         TEXT PRIMARY KEY,
	room_id    TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	hash       BYTEA NOT NULL UNIQUE, -- SHA-256 of the code
	created_by TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL DEFAULT 0,
	max_uses   BIGINT NOT NULL DEFAULT 0,
	uses       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX invites_room ON invites (room_id);

-- The log. pos is the place in the whole server's order on SQLite (it is the
-- row id) and only a name on PostgreSQL. The text of a message stands in the
-- row of its message.created event alone: editing and deleting change that
-- row, so that what is deleted is gone from every replay.
CREATE TABLE events (
	pos          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	room_id      TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq          BIGINT NOT NULL,
	type         TEXT NOT NULL,
	actor_id     TEXT NOT NULL,
	at           BIGINT NOT NULL,
	subject_id   TEXT,   -- member.*: whom it is about
	target       BIGINT, -- message.edited, message.deleted: seq of the message
	detail       TEXT,   -- JSON of domain.Detail
	key          TEXT,   -- message.created: idempotency key
	content_type TEXT,   -- NULL: Markdown
	text         TEXT,   -- message.created; NULL once deleted
	reply_to     BIGINT,
	mentions     TEXT,   -- user ids, space separated
	mention_room BOOLEAN NOT NULL DEFAULT FALSE,
	edited_at    BIGINT NOT NULL DEFAULT 0,
	edits        BIGINT NOT NULL DEFAULT 0,
	deleted_at   BIGINT NOT NULL DEFAULT 0,
	UNIQUE (room_id, seq)
);
CREATE UNIQUE INDEX events_key ON events (actor_id, key) WHERE key IS NOT NULL;
-- Lines of the timeline, so that a page costs the same after a thousand edits.
CREATE INDEX events_timeline ON events (room_id, seq) WHERE target IS NULL;
CREATE INDEX events_time ON events (room_id, at) WHERE target IS NULL;

-- Earlier texts of edited messages.
CREATE TABLE versions (
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq     BIGINT NOT NULL,
	version BIGINT NOT NULL, -- 0: the first text
	text    TEXT NOT NULL,
	at      BIGINT NOT NULL,
	PRIMARY KEY (room_id, seq, version)
);

-- Whom a message names; @room is events.mention_room.
CREATE TABLE mentions (
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq     BIGINT NOT NULL,
	PRIMARY KEY (user_id, room_id, seq)
);
CREATE INDEX events_mention_room ON events (room_id, seq) WHERE mention_room;
