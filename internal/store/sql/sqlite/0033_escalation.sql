-- oldest: 9
-- What happens with alarms that nobody acknowledges. escalate_after is in milliseconds.
ALTER TABLE alarm_rules ADD COLUMN escalate_after BIGINT NOT NULL DEFAULT 0; -- 0: nothing
ALTER TABLE alarm_rules ADD COLUMN escalate_room TEXT NOT NULL DEFAULT '';
ALTER TABLE alarm_rules ADD COLUMN escalate_user TEXT NOT NULL DEFAULT '';
ALTER TABLE alarms ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0; -- when it escalates; 0: never
ALTER TABLE alarms ADD COLUMN escalated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE alarms ADD COLUMN escalated_room TEXT NOT NULL DEFAULT '';
ALTER TABLE alarms ADD COLUMN escalated_line BIGINT NOT NULL DEFAULT 0;
CREATE INDEX alarms_due ON alarms (due_at) WHERE due_at <> 0;
