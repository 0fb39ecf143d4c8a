-- oldest: 9
-- Link previews. A node from before this step looks at no links, and leaves what is here.
ALTER TABLE rooms ADD COLUMN previews BOOLEAN NOT NULL DEFAULT FALSE;
CREATE TABLE link_previews (
	room_id     TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
	seq         BIGINT NOT NULL, -- of the message
	url         TEXT NOT NULL,   -- as it is written in the message
	n           BIGINT NOT NULL, -- its place among the links of the message
	title       TEXT NOT NULL DEFAULT '',
	description TEXT NOT NULL DEFAULT '',
	site        TEXT NOT NULL DEFAULT '',
	image_id    TEXT NOT NULL DEFAULT '', -- empty: no picture
	image_hash  TEXT NOT NULL DEFAULT '',
	image_type  TEXT NOT NULL DEFAULT '',
	width       BIGINT NOT NULL DEFAULT 0,
	height      BIGINT NOT NULL DEFAULT 0,
	removed     BOOLEAN NOT NULL DEFAULT FALSE, -- it is not to be shown, and not to be looked at again
	PRIMARY KEY (room_id, seq, url)
);
CREATE UNIQUE INDEX link_previews_image ON link_previews (image_id) WHERE image_id <> '';
