-- oldest: 9
-- Defaults of the settings of devices: of a group made by hand here, of a template in its data. What is desired of a device
-- is its own over those of its groups over that of the template that it began with.
ALTER TABLE device_groups ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'; -- an object
ALTER TABLE devices ADD COLUMN template TEXT NOT NULL DEFAULT ''; -- name; empty: none
ALTER TABLE device_settings ADD COLUMN own TEXT; -- what of desired is the device's own; NULL: all
ALTER TABLE device_settings ADD COLUMN defaults TEXT NOT NULL DEFAULT '{}'; -- what of desired, or below it, is not
