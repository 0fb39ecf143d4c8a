-- oldest: 9
-- Up to which time the readings of a device were forwarded, in milliseconds since 1970; 0: not yet.
ALTER TABLE reading_devices ADD COLUMN forwarded BIGINT NOT NULL DEFAULT 0;
