-- oldest: 9
-- How often devices connect. A node from before this step counts nothing; what it left out is counted by the next one.
ALTER TABLE device_firmware ADD COLUMN connects TEXT NOT NULL DEFAULT '{}'; -- domain.ConnectRate, as JSON
ALTER TABLE device_firmware ADD COLUMN flapped_at BIGINT NOT NULL DEFAULT 0; -- with this image; 0: it has not
