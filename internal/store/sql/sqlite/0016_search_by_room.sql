-- oldest: 9
-- What is searched, by room: each word stands behind the number of its message's
-- room, so that the messages of other rooms do not decide how long a search takes.
-- The server empties the earlier index, search, at its start, and makes this one in
-- small steps while it runs. A program from before finds search_head at 0, and
-- indexes anew.
CREATE VIRTUAL TABLE search_words USING fts5 (
	words,
	content = '', contentless_delete = 1,
	tokenize = "ascii tokenchars '_@#'"
);
-- Merging sixteen at a time makes up for what the longer words cost the writer.
INSERT INTO search_words (search_words, rank) VALUES ('automerge', 16), ('crisismerge', 64);

-- A short number for each room, which is never given twice.
CREATE TABLE search_rooms (
	number  INTEGER PRIMARY KEY AUTOINCREMENT,
	room_id TEXT NOT NULL UNIQUE REFERENCES rooms ON DELETE CASCADE
);
INSERT INTO search_rooms (room_id) SELECT id FROM rooms ORDER BY created_at;
CREATE TRIGGER search_room AFTER INSERT ON rooms BEGIN
	INSERT INTO search_rooms (room_id) VALUES (NEW.id);
END;

-- How entries are made, how far the indexer has come in the log, and up to which
-- place the messages from before are still to be done.
CREATE TABLE search_build (
	format BIGINT NOT NULL,
	head   BIGINT NOT NULL,
	todo   BIGINT NOT NULL
);
INSERT INTO search_build VALUES (0, 0, 0);
