-- oldest: 9
-- Reports of messages, one of each person and message. A node from before this step leaves here the id of an account
-- that it deletes, which then has no name, and rows of messages that it purges: they are not listed, and a newer node
-- deletes them when it purges next.
CREATE TABLE message_reports (
	id         TEXT PRIMARY KEY,
	room_id    TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq        BIGINT NOT NULL, -- of the message
	user_id    TEXT NOT NULL, -- who reported it; empty: the account was deleted
	reason     TEXT NOT NULL,
	note       TEXT NOT NULL,
	text       TEXT NOT NULL, -- of the message when it was reported
	at         BIGINT NOT NULL, -- Unix milliseconds
	admins_at  BIGINT NOT NULL, -- when administrators may decide; if that is at, moderators may not
	state      TEXT NOT NULL, -- open, kept or removed
	decided_by TEXT NOT NULL DEFAULT '', -- id of a user; empty: nobody has
	decided_at BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX message_reports_once ON message_reports (room_id, seq, user_id) WHERE user_id <> '';
CREATE INDEX message_reports_message ON message_reports (room_id, seq, at);
CREATE INDEX message_reports_open ON message_reports (admins_at, room_id, seq) WHERE state = 'open';
CREATE INDEX message_reports_user ON message_reports (user_id, at, id);
