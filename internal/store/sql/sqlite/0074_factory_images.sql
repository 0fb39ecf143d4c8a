-- oldest: 9
-- Factory images, with bootloader and partition table, beside the images that are in them. Empty: there is none. The
-- reference to the file is factory/RELEASE/HASH, with the hash of the image.
ALTER TABLE firmware_images ADD COLUMN factory_sha256 TEXT NOT NULL DEFAULT '';
ALTER TABLE firmware_images ADD COLUMN factory_size BIGINT NOT NULL DEFAULT 0;
ALTER TABLE firmware_images ADD COLUMN factory_info TEXT NOT NULL DEFAULT ''; -- JSON of domain.ImageInfo
CREATE INDEX firmware_images_factory ON firmware_images (factory_sha256) WHERE factory_sha256 <> '';
