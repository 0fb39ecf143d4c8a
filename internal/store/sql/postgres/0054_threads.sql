-- oldest: 9
-- Threads. A node from before this step shows replies as lines of the room and counts them as unread there.
-- The columns and indexes of events may be added by hand before, the indexes CONCURRENTLY, so that nobody waits while
-- a long log is read: this step then skips them.
ALTER TABLE events ADD COLUMN IF NOT EXISTS thread BIGINT; -- of a reply: number of the thread's first message
ALTER TABLE events ADD COLUMN IF NOT EXISTS broadcast BOOLEAN NOT NULL DEFAULT FALSE; -- also a line of the room
ALTER TABLE events ADD COLUMN IF NOT EXISTS threaded BOOLEAN NOT NULL DEFAULT FALSE; -- has or had a thread
-- Lines of the room without replies. A node from before reads by the unique index of the log instead.
CREATE INDEX IF NOT EXISTS events_main ON events (room_id, seq) WHERE target IS NULL AND (thread IS NULL OR broadcast);
DROP INDEX events_timeline;
CREATE INDEX IF NOT EXISTS events_thread ON events (room_id, thread, seq) WHERE thread IS NOT NULL AND deleted_at = 0;
ALTER TABLE mentions ADD COLUMN thread BIGINT; -- as in events; NULL if the reply is a line of the room too
ALTER TABLE rooms ADD COLUMN replied BIGINT NOT NULL DEFAULT 0; -- number of the last reply in a thread
-- How far a member has read in all threads of a room, and whether they follow each that gets a reply.
ALTER TABLE members ADD COLUMN threads_read BIGINT NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN follow_threads BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX members_follow_threads ON members (room_id) WHERE follow_threads;
-- What a user has read of a thread and whether they follow it. Read is up to the largest of read_seq, since - 1 and
-- members.threads_read.
CREATE TABLE thread_marks (
	user_id   TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	room_id   TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	root      BIGINT NOT NULL, -- number of the message that the thread began with
	read_seq  BIGINT NOT NULL DEFAULT 0,
	following BOOLEAN, -- NULL: the user has not chosen, and nothing has made them follow it
	since     BIGINT NOT NULL DEFAULT 0, -- number of the event from which on they follow it
	PRIMARY KEY (user_id, room_id, root)
);
CREATE INDEX thread_marks_room ON thread_marks (room_id, root);
ALTER TABLE thread_marks SET (autovacuum_vacuum_scale_factor = 0.02);
