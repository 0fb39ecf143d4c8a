-- oldest: 9
-- What the picture of a link preview shows, in the page's words, and the icon of its site, made small. A node from
-- before this step shows neither; when it deletes a message, the file of the icon stays.
ALTER TABLE link_previews ADD COLUMN image_alt TEXT NOT NULL DEFAULT '';
ALTER TABLE link_previews ADD COLUMN icon_id TEXT NOT NULL DEFAULT ''; -- empty: no icon
ALTER TABLE link_previews ADD COLUMN icon_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE link_previews ADD COLUMN icon_type TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX link_previews_icon ON link_previews (icon_id) WHERE icon_id <> '';
