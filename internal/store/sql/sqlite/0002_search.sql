-- What is searched: the words that package fulltext makes of a message, and in
-- scope the ids of its room and sender, so that a search in one room reads only
-- that room's entries. rowid is events.pos.
CREATE VIRTUAL TABLE search USING fts5 (
	words, scope,
	content = '', contentless_delete = 1,
	tokenize = "unicode61 remove_diacritics 0 tokenchars '_'"
);

-- How far the indexer has come in the log.
CREATE TABLE search_head (pos BIGINT NOT NULL);
INSERT INTO search_head VALUES (0);
