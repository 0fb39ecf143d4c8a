-- oldest: 9
-- The device that speaks for another, and what it calls it; '' if none does.
ALTER TABLE devices ADD COLUMN bridge_id TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN bridge_key TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX devices_bridge ON devices (bridge_id, bridge_key) WHERE bridge_id <> '';
