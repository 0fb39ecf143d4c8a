-- oldest: 9
-- What names are found by, and what those have in common that look alike. The server
-- fills them in at its start, also for what an older program has written meanwhile.
ALTER TABLE users ADD COLUMN folded TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN skeleton TEXT NOT NULL DEFAULT '';
CREATE INDEX users_skeleton ON users (skeleton);
ALTER TABLE rooms ADD COLUMN folded TEXT NOT NULL DEFAULT '';
