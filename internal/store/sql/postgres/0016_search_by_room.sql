-- oldest: 9
-- What is searched, by room: each word stands behind the number of its message's
-- room, so that the messages of other rooms do not decide how long a search takes.
-- Servers from before go on with entries of their own kind. What they write is done
-- again by those that know better.
ALTER TABLE search ADD COLUMN format SMALLINT NOT NULL DEFAULT 1;

-- A short number for each room, which is never given twice.
CREATE TABLE search_rooms (
	number  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	room_id TEXT NOT NULL UNIQUE REFERENCES rooms ON DELETE CASCADE
);
CREATE FUNCTION search_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO search_rooms (room_id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;
CREATE TRIGGER search_room AFTER INSERT ON rooms FOR EACH ROW EXECUTE FUNCTION search_room();
INSERT INTO search_rooms (room_id) SELECT id FROM rooms ORDER BY created_at ON CONFLICT DO NOTHING;

-- How entries are made, and up to which place in the log those from before are still
-- to be made so.
CREATE TABLE search_build (
	format BIGINT NOT NULL,
	todo   BIGINT NOT NULL
);
INSERT INTO search_build VALUES (1, 0);

-- Messages that a server from before has indexed since.
CREATE TABLE search_outdated (pos BIGINT PRIMARY KEY);
CREATE FUNCTION search_outdated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO search_outdated VALUES (NEW.pos) ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;
CREATE TRIGGER search_outdated AFTER INSERT ON search FOR EACH ROW WHEN (NEW.format < 2) EXECUTE FUNCTION search_outdated();
