CREATE TABLE schema_compatible (version BIGINT PRIMARY KEY, oldest BIGINT NOT NULL);

-- Numbers name devices in keys. None is used twice: what a journal has of a deleted device is nobody's.
CREATE TABLE reading_devices (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL UNIQUE
);

-- What each device measures. The last value is that of the chunks; newer ones are in the journal.
CREATE TABLE reading_series (
    id          INTEGER PRIMARY KEY,
    dev         INTEGER NOT NULL,
    slot        INTEGER NOT NULL, -- numbers the series of a device
    name        TEXT NOT NULL,
    unit        TEXT NOT NULL,
    kind        INTEGER NOT NULL,
    last_at     INTEGER NOT NULL DEFAULT 0,
    last_number REAL NOT NULL DEFAULT 0,
    last_text   TEXT NOT NULL DEFAULT '',
    UNIQUE (dev, slot),
    UNIQUE (dev, name)
);

-- The numbers of the reports that have come. Those that came since are in the journal.
CREATE TABLE reading_ranges (
    dev     INTEGER NOT NULL,
    boot    INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    touched INTEGER NOT NULL,
    PRIMARY KEY (dev, boot, first)
) WITHOUT ROWID;

-- The reports that are in no chunk yet; one row for each commit.
CREATE TABLE reading_journal (id INTEGER PRIMARY KEY, body BLOB NOT NULL);

-- The reports of a device in an hour, in parts: hour<<40 | device<<8 | part.
CREATE TABLE reading_chunks (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
-- A bucket for each minute of such an hour: hour<<40 | device<<8.
CREATE TABLE reading_minutes (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
-- A bucket for each hour of a day: day<<40 | device<<8.
CREATE TABLE reading_hours (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE reading_days (
    series INTEGER NOT NULL,
    day    INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    first  REAL NOT NULL,
    last   REAL NOT NULL,
    min    REAL NOT NULL,
    max    REAL NOT NULL,
    sum    REAL NOT NULL,
    PRIMARY KEY (series, day)
) WITHOUT ROWID;
