-- oldest: 9
-- Messages that people have written for later. A node from before this step sends none; others do.
CREATE TABLE scheduled_messages (
	id      TEXT PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	room_id TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	thread  BIGINT NOT NULL, -- number of its first message; 0: of the room
	text    TEXT NOT NULL,
	key     TEXT NOT NULL,   -- that the client chose
	at      BIGINT NOT NULL, -- when it is to be sent
	state   TEXT NOT NULL,   -- waiting, sending or failed
	failure TEXT NOT NULL,   -- code of the error
	due_at  BIGINT NOT NULL, -- when it is taken next; 0: never
	tries   BIGINT NOT NULL DEFAULT 0,
	UNIQUE (user_id, key)
);
CREATE INDEX scheduled_messages_due ON scheduled_messages (due_at) WHERE due_at > 0;
CREATE INDEX scheduled_messages_room ON scheduled_messages (room_id);
-- What people want to be reminded of.
CREATE TABLE reminders (
	id       TEXT PRIMARY KEY,
	user_id  TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	room_id  TEXT REFERENCES rooms ON DELETE CASCADE, -- of the message; NULL: it is about none
	seq      BIGINT,
	text     TEXT NOT NULL,
	key      TEXT NOT NULL,   -- that the client chose
	zone     TEXT NOT NULL,   -- of one that comes again; empty: it comes once
	minute   BIGINT NOT NULL, -- of the day, by clocks of the zone
	weekdays BIGINT NOT NULL, -- a bit for each, Sunday is 1
	fired_at BIGINT NOT NULL DEFAULT 0, -- since when it asks to be seen to
	due_at   BIGINT NOT NULL, -- when it comes next; 0: no more
	UNIQUE (user_id, key)
);
CREATE INDEX reminders_due ON reminders (due_at) WHERE due_at > 0;
CREATE INDEX reminders_message ON reminders (room_id, seq);
-- Pushes about reminders, beside those about messages.
CREATE TABLE reminder_pushes (
	subscription_id TEXT NOT NULL REFERENCES push_subscriptions ON DELETE CASCADE,
	reminder_id     TEXT NOT NULL REFERENCES reminders ON DELETE CASCADE,
	seq             BIGINT NOT NULL, -- when it came, in Unix milliseconds
	since           BIGINT NOT NULL,
	due_at          BIGINT NOT NULL,
	tries           BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (subscription_id, reminder_id)
);
CREATE INDEX reminder_pushes_due ON reminder_pushes (due_at);
CREATE INDEX reminder_pushes_reminder ON reminder_pushes (reminder_id);
