-- oldest: 9
-- What devices measure. Numbers name devices in keys; whoever changes something of a device locks its row.
CREATE TABLE reading_devices (
	id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	device TEXT NOT NULL UNIQUE
);

-- The last value is that of the chunks; newer ones are in reading_head.
CREATE TABLE reading_series (
	id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	dev         BIGINT NOT NULL,
	slot        BIGINT NOT NULL, -- numbers the series of a device
	name        TEXT NOT NULL,
	unit        TEXT NOT NULL,
	kind        BIGINT NOT NULL,
	last_at     BIGINT NOT NULL DEFAULT 0,
	last_number DOUBLE PRECISION NOT NULL DEFAULT 0,
	last_text   TEXT NOT NULL DEFAULT '',
	UNIQUE (dev, slot),
	UNIQUE (dev, name)
);

-- The numbers of the reports that have come.
CREATE TABLE reading_ranges (
	dev     BIGINT NOT NULL,
	boot    BIGINT NOT NULL,
	first   BIGINT NOT NULL,
	last    BIGINT NOT NULL,
	touched BIGINT NOT NULL,
	PRIMARY KEY (dev, boot, first)
) WITH (fillfactor = 50);

-- Reports that are in no chunk yet.
CREATE TABLE reading_head (
	id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	dev      BIGINT NOT NULL,
	hour     BIGINT NOT NULL, -- that they are of, since 1970
	received BIGINT NOT NULL,
	reports  BIGINT NOT NULL,
	body     BYTEA NOT NULL
);
CREATE INDEX reading_head_window ON reading_head (dev, hour);

-- The reports of a device in an hour, in parts: hour<<40 | device<<8 | part. The bodies are packed
-- already, and short enough to stay in their rows.
CREATE TABLE reading_chunks (id BIGINT PRIMARY KEY, body BYTEA NOT NULL) WITH (toast_tuple_target = 8160);
ALTER TABLE reading_chunks ALTER COLUMN body SET STORAGE EXTERNAL;
-- A bucket for each minute of such an hour: hour<<40 | device<<8.
CREATE TABLE reading_minutes (id BIGINT PRIMARY KEY, body BYTEA NOT NULL) WITH (toast_tuple_target = 8160);
ALTER TABLE reading_minutes ALTER COLUMN body SET STORAGE EXTERNAL;
-- A bucket for each hour of a day: day<<40 | device<<8.
CREATE TABLE reading_hours (id BIGINT PRIMARY KEY, body BYTEA NOT NULL) WITH (toast_tuple_target = 8160);
ALTER TABLE reading_hours ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE reading_days (
	series BIGINT NOT NULL,
	day    BIGINT NOT NULL,
	n      BIGINT NOT NULL,
	first  DOUBLE PRECISION NOT NULL,
	last   DOUBLE PRECISION NOT NULL,
	min    DOUBLE PRECISION NOT NULL,
	max    DOUBLE PRECISION NOT NULL,
	sum    DOUBLE PRECISION NOT NULL,
	PRIMARY KEY (series, day)
);
