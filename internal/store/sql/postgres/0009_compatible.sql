-- For each schema step that programs from before it can live with: the oldest such.
-- A step says so in its first line, "-- oldest: 9"; see docs/architecture.md.
CREATE TABLE schema_compatible (
    version BIGINT NOT NULL PRIMARY KEY,
    oldest  BIGINT NOT NULL
);
