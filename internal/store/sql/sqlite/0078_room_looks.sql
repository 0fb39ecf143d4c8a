-- oldest: 9
-- By what rooms are told from each other. A node from before this step shows rooms as before, leaves the looks as they
-- are, and keeps the file of a room's picture when it deletes the room: a node of this step then lets go of it.
ALTER TABLE rooms ADD COLUMN colour TEXT NOT NULL DEFAULT '';
ALTER TABLE rooms ADD COLUMN emoji TEXT NOT NULL DEFAULT '';
ALTER TABLE rooms ADD COLUMN avatar TEXT NOT NULL DEFAULT ''; -- first half of the hash of the picture's file
