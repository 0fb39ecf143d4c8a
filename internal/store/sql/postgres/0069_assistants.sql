-- oldest: 9
-- Assistants: bots that a language model answers for. A node from before this step asks and answers nothing, and purges
-- messages without their rows here, which are kept for an hour only.
CREATE TABLE assistants (
	bot_id       TEXT PRIMARY KEY REFERENCES bots ON DELETE CASCADE,
	instructions TEXT NOT NULL,
	created_at   BIGINT NOT NULL
);
-- What assistants were asked within the last hour, and what is to be answered.
CREATE TABLE assistant_answers (
	room_id  TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq      BIGINT NOT NULL, -- of the message that asks
	bot_id   TEXT NOT NULL REFERENCES bots ON DELETE CASCADE,
	asker_id TEXT NOT NULL REFERENCES users,
	thread   BIGINT NOT NULL, -- in which the answer is to be; 0: in none
	asked_at BIGINT NOT NULL,
	state    TEXT NOT NULL,   -- waiting, running or done
	refused  BOOLEAN NOT NULL, -- the answer is to say that it was one question too many
	stopped  BOOLEAN NOT NULL DEFAULT FALSE, -- somebody does not want the answer any more
	answer   BIGINT NOT NULL DEFAULT 0, -- number of the message that answers; 0: there is none yet
	tries    BIGINT NOT NULL DEFAULT 0,
	due_at   BIGINT NOT NULL, -- when it is taken next, which of one that runs is the end of the lease; 0: never
	PRIMARY KEY (room_id, seq, bot_id)
);
-- One answer of a room at a time.
CREATE UNIQUE INDEX assistant_answers_running ON assistant_answers (room_id) WHERE state = 'running';
CREATE INDEX assistant_answers_due ON assistant_answers (due_at) WHERE due_at > 0;
CREATE INDEX assistant_answers_asker ON assistant_answers (asker_id, asked_at);
CREATE INDEX assistant_answers_bot ON assistant_answers (bot_id);
CREATE INDEX assistant_answers_time ON assistant_answers (asked_at);
