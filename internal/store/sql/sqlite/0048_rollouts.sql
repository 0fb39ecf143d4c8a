-- oldest: 9
-- What devices last said of their firmware, and what is known of it since.
CREATE TABLE device_firmware (
	device_id   TEXT PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
	product     TEXT NOT NULL, -- name, as the image has it
	sha256      TEXT NOT NULL,
	report      TEXT NOT NULL, -- domain.FirmwareReport, as JSON
	reported_at BIGINT NOT NULL,
	nonce_at    BIGINT NOT NULL, -- when this nonce was first told
	since       BIGINT NOT NULL, -- when it was first seen with this image
	crashes     BIGINT NOT NULL  -- since then
);
CREATE INDEX device_firmware_product ON device_firmware (product, device_id);

-- Rollouts bring releases to devices.
CREATE TABLE rollouts (
	id           TEXT PRIMARY KEY,
	product_id   TEXT NOT NULL,
	product      TEXT NOT NULL, -- name, as devices report it
	owner_id     TEXT NOT NULL REFERENCES users, -- of the product and of the devices
	release_id   TEXT NOT NULL,
	code         BIGINT NOT NULL,
	version      TEXT NOT NULL,
	room_id      TEXT NOT NULL, -- empty: it is told to none
	line         BIGINT NOT NULL,
	plan         TEXT NOT NULL, -- domain.RolloutPlan, as JSON
	note         TEXT NOT NULL,
	salt         TEXT NOT NULL,
	reverts      TEXT NOT NULL, -- id of the rollout that it takes back; empty: none
	state        TEXT NOT NULL,
	stage        BIGINT NOT NULL,
	devices      BIGINT NOT NULL, -- that are meant
	stage_at     BIGINT NOT NULL,
	soak_at      BIGINT NOT NULL,
	forgiven_at  BIGINT NOT NULL, -- what ended before is not held against the release
	pause        TEXT NOT NULL,   -- domain.RolloutPause, as JSON
	scanned      TEXT NOT NULL,   -- id of the last device that was looked at
	idle         BOOLEAN NOT NULL, -- when the scan came to its end, nobody waited
	room         BIGINT NOT NULL,  -- offers that may be made before it is judged again
	created_by   TEXT NOT NULL,
	created_at   BIGINT NOT NULL,
	approved_by  TEXT NOT NULL,   -- empty: nobody
	started_at   BIGINT NOT NULL,
	judged_at    BIGINT NOT NULL, -- when it was last decided about
	revision     BIGINT NOT NULL
);
CREATE INDEX rollouts_product ON rollouts (product_id, id);
CREATE INDEX rollouts_owner ON rollouts (owner_id, product, id);

-- One device in one rollout.
CREATE TABLE rollout_updates (
	id             TEXT PRIMARY KEY,
	rollout_id     TEXT NOT NULL REFERENCES rollouts ON DELETE CASCADE,
	device_id      TEXT NOT NULL REFERENCES devices ON DELETE CASCADE,
	state          TEXT NOT NULL,
	stage          BIGINT NOT NULL,
	chip           TEXT NOT NULL,
	revision       BIGINT NOT NULL,
	image          TEXT NOT NULL, -- SHA-256 of the image for it
	why            TEXT NOT NULL,
	excluded       BOOLEAN NOT NULL,
	offered_at     BIGINT NOT NULL,
	ended_at       BIGINT NOT NULL,
	changed_at     BIGINT NOT NULL,
	due_at         BIGINT NOT NULL, -- when something is decided without the device; 0: never
	crashes_before BIGINT NOT NULL,
	ran_before     BIGINT NOT NULL, -- milliseconds
	data           TEXT NOT NULL    -- the rest of domain.Update, as JSON
);
CREATE UNIQUE INDEX rollout_updates_device ON rollout_updates (device_id, rollout_id);
CREATE INDEX rollout_updates_rollout ON rollout_updates (rollout_id, state);
CREATE INDEX rollout_updates_changed ON rollout_updates (rollout_id, changed_at);
CREATE INDEX rollout_updates_due ON rollout_updates (rollout_id, due_at) WHERE due_at <> 0;

-- What happened to rollouts.
CREATE TABLE rollout_log (
	rollout_id TEXT NOT NULL REFERENCES rollouts ON DELETE CASCADE,
	seq        BIGINT NOT NULL,
	at         BIGINT NOT NULL,
	actor      TEXT NOT NULL, -- id of a user; empty: it went on by itself
	what       TEXT NOT NULL,
	stage      BIGINT NOT NULL,
	state      TEXT NOT NULL,
	details    TEXT NOT NULL, -- domain.RolloutPause, as JSON
	note       TEXT NOT NULL,
	PRIMARY KEY (rollout_id, seq)
);

-- Crashes that devices have told of.
CREATE TABLE firmware_crashes (
	id         TEXT PRIMARY KEY,
	device_id  TEXT NOT NULL REFERENCES devices ON DELETE CASCADE,
	product    TEXT NOT NULL,
	elf        TEXT NOT NULL, -- its first digits, as far as the device told them
	version    TEXT NOT NULL,
	signature  TEXT NOT NULL, -- the same for crashes at the same place
	at         BIGINT NOT NULL,
	data       TEXT NOT NULL  -- domain.CrashReport, as JSON
);
CREATE INDEX firmware_crashes_device ON firmware_crashes (device_id, id);
CREATE INDEX firmware_crashes_product ON firmware_crashes (product, signature, at);
CREATE INDEX firmware_crashes_at ON firmware_crashes (at);
