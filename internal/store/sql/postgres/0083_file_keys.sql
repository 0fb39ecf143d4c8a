-- oldest: 9
-- By the part of a file's id that follows from the key it was sent with: one that comes again is found by it.
CREATE INDEX files_key ON files (substr(id, 15));
