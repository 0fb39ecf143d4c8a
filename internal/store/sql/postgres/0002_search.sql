-- What is searched: the words that package fulltext makes of a message, with the
-- ids of its room and sender among them, so that a search in one room reads only
-- that room's entries.
CREATE TABLE search (
	pos   BIGINT PRIMARY KEY REFERENCES events ON DELETE CASCADE,
	words TSVECTOR NOT NULL
);
CREATE INDEX search_words ON search USING gin (words);
