-- oldest: 9
-- What the members of a room have arranged of its devices.
CREATE TABLE dashboards (
	room_id    TEXT PRIMARY KEY REFERENCES rooms ON DELETE CASCADE,
	version    BIGINT NOT NULL,
	tiles      TEXT NOT NULL, -- JSON of domain.Tile
	changed_by TEXT NOT NULL REFERENCES users,
	changed_at BIGINT NOT NULL
);
CREATE INDEX alarms_room ON alarms (room_id, id) WHERE room_id <> '';
CREATE INDEX alarms_escalated_room ON alarms (escalated_room, id) WHERE escalated_room <> '';
