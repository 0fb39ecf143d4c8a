-- oldest: 9
-- Notifications. A node from before this step tells nobody of anything, and leaves what is here.
CREATE TABLE notify_settings (
	user_id  TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE,
	settings TEXT NOT NULL, -- JSON of domain.NotifySettings
	version  BIGINT NOT NULL -- counts changes
);
CREATE TABLE notify_levels (
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	thread  BIGINT NOT NULL, -- number of its first message; 0: of the room
	level   TEXT NOT NULL,
	PRIMARY KEY (user_id, room_id, thread)
);
CREATE INDEX notify_levels_room ON notify_levels (room_id);
-- Browsers and apps that get pushes.
CREATE TABLE push_subscriptions (
	id         TEXT PRIMARY KEY,
	user_id    TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
	endpoint   TEXT NOT NULL UNIQUE,
	p256dh     BYTEA NOT NULL,
	auth       BYTEA NOT NULL,
	created_at BIGINT NOT NULL,
	sent_at    BIGINT NOT NULL DEFAULT 0,
	failed_at  BIGINT NOT NULL DEFAULT 0, -- since when
	failure    TEXT NOT NULL DEFAULT ''
);
CREATE INDEX push_subscriptions_user ON push_subscriptions (user_id);
CREATE INDEX push_subscriptions_session ON push_subscriptions (session_id);
-- Of which messages users were told, or are to be.
CREATE TABLE notifications (
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq     BIGINT NOT NULL,
	thread  BIGINT NOT NULL, -- of a reply that is no line of the room; else 0
	reason  TEXT NOT NULL,
	at      BIGINT NOT NULL,
	PRIMARY KEY (user_id, room_id, seq)
);
CREATE INDEX notifications_at ON notifications (at);
CREATE INDEX notifications_room ON notifications (room_id);
-- What is to be sent: to a subscription one push about each room or thread.
CREATE TABLE pushes (
	subscription_id TEXT NOT NULL REFERENCES push_subscriptions ON DELETE CASCADE,
	room_id         TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	thread          BIGINT NOT NULL,
	seq             BIGINT NOT NULL, -- of the last message
	since           BIGINT NOT NULL,
	due_at          BIGINT NOT NULL,
	tries           BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (subscription_id, room_id, thread)
);
CREATE INDEX pushes_due ON pushes (due_at);
CREATE INDEX pushes_room ON pushes (room_id);
