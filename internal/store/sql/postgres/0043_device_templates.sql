-- oldest: 9
-- What a new device of an owner begins with (domain.DeviceTemplate, as JSON).
CREATE TABLE device_templates (
	owner_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
	name     TEXT NOT NULL,
	data     TEXT NOT NULL,
	PRIMARY KEY (owner_id, name)
);
