-- How much of a room is kept. floor is the last number that is gone: its log is
-- floor+1..head. keep_* are NULL where the server's rules count.
ALTER TABLE rooms ADD COLUMN floor BIGINT NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN keep_days BIGINT;
ALTER TABLE rooms ADD COLUMN keep_lines BIGINT;
ALTER TABLE rooms ADD COLUMN held_at BIGINT NOT NULL DEFAULT 0; -- since when a legal hold is on it

-- Texts that were taken from everyone's view in a room under a legal hold.
CREATE TABLE held_texts (
	room_id    TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq        BIGINT NOT NULL,
	version    BIGINT NOT NULL,
	text       TEXT NOT NULL,
	at         BIGINT NOT NULL,
	by_id      TEXT NOT NULL,
	deleted_at BIGINT NOT NULL,
	PRIMARY KEY (room_id, seq, version)
);

-- What names a message is found by it, when it changes or goes.
CREATE INDEX mentions_message ON mentions (room_id, seq);

-- Rows that go in steps are to be vacuumed as they go, not once a fifth of the
-- table is dead.
ALTER TABLE events SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE search SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE versions SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE mentions SET (autovacuum_vacuum_scale_factor = 0.02);
