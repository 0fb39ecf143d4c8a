-- oldest: 9
-- What new members see of a room's history. A node from before this step shows all of it to everybody, also later to those
-- who join by it: rooms should hide theirs once all nodes know this step.
ALTER TABLE rooms ADD COLUMN hides_history BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE members ADD COLUMN since BIGINT NOT NULL DEFAULT 0; -- the last number that the member does not see
