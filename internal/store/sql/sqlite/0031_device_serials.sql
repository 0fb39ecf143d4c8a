-- oldest: 9
-- The serial number by which the owner of a device knows it, before the device has told its own.
ALTER TABLE devices ADD COLUMN serial TEXT NOT NULL DEFAULT '';
