-- oldest: 9
-- When devices raise alarms, and the alarms that they have raised. Durations are in milliseconds.
CREATE TABLE alarm_rules (
	id            TEXT PRIMARY KEY,
	device_id     TEXT NOT NULL REFERENCES devices,
	name          TEXT NOT NULL,
	kind          TEXT NOT NULL,
	severity      TEXT NOT NULL,
	sensor        TEXT NOT NULL,
	above         DOUBLE PRECISION,
	below         DOUBLE PRECISION,
	hysteresis    DOUBLE PRECISION NOT NULL,
	lasts         BIGINT NOT NULL,
	span          BIGINT NOT NULL,
	room_id       TEXT NOT NULL, -- empty: posted nowhere
	disabled      BOOLEAN NOT NULL,
	snoozed_until BIGINT NOT NULL,
	created_by    TEXT NOT NULL REFERENCES users,
	created_at    BIGINT NOT NULL,
	changed_at    BIGINT NOT NULL
);
CREATE INDEX alarm_rules_device ON alarm_rules (device_id, id);

-- One row for each episode. A rule has at most one that is not over, so that it is raised once,
-- whichever nodes see the readings.
CREATE TABLE alarms (
	id              TEXT PRIMARY KEY,
	rule_id         TEXT NOT NULL,
	device_id       TEXT NOT NULL REFERENCES devices,
	name            TEXT NOT NULL,
	kind            TEXT NOT NULL,
	severity        TEXT NOT NULL,
	sensor          TEXT NOT NULL,
	value           DOUBLE PRECISION,
	bound           DOUBLE PRECISION,
	room_id         TEXT NOT NULL, -- empty: it was posted nowhere
	line            BIGINT NOT NULL, -- number of its line in the room
	raised_at       BIGINT NOT NULL,
	cleared_at      BIGINT NOT NULL, -- 0: it is not over
	acknowledged_by TEXT REFERENCES users,
	acked_at        BIGINT NOT NULL,
	snoozed_until   BIGINT NOT NULL,
	note            TEXT NOT NULL,
	flapping        BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX alarms_open ON alarms (rule_id) WHERE cleared_at = 0;
CREATE INDEX alarms_device ON alarms (device_id, id);
CREATE INDEX alarms_rule ON alarms (rule_id, raised_at);
CREATE INDEX alarms_ended ON alarms (cleared_at) WHERE cleared_at <> 0;
