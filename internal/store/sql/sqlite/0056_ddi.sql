-- oldest: 9
-- Number of the action whose cancellation a device has confirmed last over hawkBit's protocol; empty: none.
ALTER TABLE device_ota ADD COLUMN canceled TEXT NOT NULL DEFAULT '';
