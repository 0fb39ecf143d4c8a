-- oldest: 9
-- What an indexer is to put into search, a row for each lot of messages: writing
-- the index in the append took a quarter of it, while the room was locked.
CREATE TABLE unindexed (
	id  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	pos BIGINT[] NOT NULL -- of events
);
