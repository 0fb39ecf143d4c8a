-- oldest: 9
-- Rules of alarms for all devices of a user that are of a type, or have a tag. Each device has a row in alarm_rules.
-- Durations are in milliseconds.
CREATE TABLE alarm_group_rules (
	id             TEXT PRIMARY KEY,
	type           TEXT NOT NULL, -- empty: any, as tag
	tag            TEXT NOT NULL,
	name           TEXT NOT NULL,
	kind           TEXT NOT NULL,
	severity       TEXT NOT NULL,
	sensor         TEXT NOT NULL,
	above          DOUBLE PRECISION,
	below          DOUBLE PRECISION,
	hysteresis     DOUBLE PRECISION NOT NULL,
	lasts          BIGINT NOT NULL,
	span           BIGINT NOT NULL,
	room_id        TEXT NOT NULL,
	disabled       BOOLEAN NOT NULL,
	created_by     TEXT NOT NULL REFERENCES users, -- whose devices
	created_at     BIGINT NOT NULL,
	changed_at     BIGINT NOT NULL,
	escalate_after BIGINT NOT NULL,
	escalate_room  TEXT NOT NULL,
	escalate_user  TEXT NOT NULL
);
CREATE INDEX alarm_group_rules_owner ON alarm_group_rules (created_by, id);
ALTER TABLE alarm_rules ADD COLUMN group_id TEXT NOT NULL DEFAULT ''; -- that it comes from; empty: of the device alone
CREATE UNIQUE INDEX alarm_rules_group ON alarm_rules (group_id, device_id) WHERE group_id <> '';
