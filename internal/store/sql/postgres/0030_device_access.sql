-- oldest: 9
-- What else a device may do than speak for itself: '' or 'controller'.
ALTER TABLE devices ADD COLUMN access TEXT NOT NULL DEFAULT '';
