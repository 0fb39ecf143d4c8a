-- Where the chain stands: one row.
CREATE TABLE audit_chain (
    id        BIGINT PRIMARY KEY CHECK (id = 1),
    chain     TEXT NOT NULL,
    seq       BIGINT NOT NULL,
    hash      BYTEA NOT NULL,
    day       BIGINT NOT NULL,
    check_seq BIGINT NOT NULL,
    check_sum BYTEA NOT NULL
);

-- The records. The columns beside body repeat a part of it, to search by.
CREATE TABLE audit_records (
    seq    BIGINT PRIMARY KEY,
    day    BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    type   TEXT NOT NULL,
    actor  TEXT NOT NULL,
    target TEXT NOT NULL,
    body   BYTEA NOT NULL,
    hash   BYTEA NOT NULL
);
CREATE INDEX audit_records_at ON audit_records (at);
CREATE INDEX audit_records_type ON audit_records (type, seq);
CREATE INDEX audit_records_actor ON audit_records (actor, seq) WHERE actor <> '';

-- What can be erased: body has only salted hashes of it.
CREATE TABLE audit_personal (
    seq   BIGINT PRIMARY KEY,
    actor TEXT NOT NULL,
    at    BIGINT NOT NULL,
    salt  BYTEA NOT NULL,
    data  BYTEA NOT NULL
);
CREATE INDEX audit_personal_at ON audit_personal (at);
CREATE INDEX audit_personal_actor ON audit_personal (actor) WHERE actor <> '';

-- Signed statements of where the chain stood.
CREATE TABLE audit_checkpoints (
    seq  BIGINT PRIMARY KEY,
    body BYTEA NOT NULL,
    sig  BYTEA NOT NULL,
    sum  BYTEA NOT NULL
);

-- What remains of days that were deleted.
CREATE TABLE audit_segments (
    last_seq  BIGINT PRIMARY KEY,
    first_seq BIGINT NOT NULL,
    body      BYTEA NOT NULL,
    sig       BYTEA NOT NULL
);

-- How far each receiver has come, and which node sends to it.
CREATE TABLE audit_sinks (
    name        TEXT PRIMARY KEY,
    seq         BIGINT NOT NULL,
    dropped     BIGINT NOT NULL,
    owner       TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);

-- Records are never changed, and deleted only once a segment stands for them.
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the audit log is only ever added to', TG_OP, TG_TABLE_NAME;
END $$;
CREATE FUNCTION audit_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM audit_segments WHERE last_seq >= OLD.seq AND first_seq <= OLD.seq) THEN
        RAISE EXCEPTION 'audit records are deleted by whole days, with a segment in their place';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER audit_records_keep BEFORE UPDATE ON audit_records FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_records_stay BEFORE DELETE ON audit_records FOR EACH ROW EXECUTE FUNCTION audit_refuse_delete();
CREATE TRIGGER audit_records_whole BEFORE TRUNCATE ON audit_records EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_checkpoints_keep BEFORE UPDATE OR DELETE ON audit_checkpoints FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_checkpoints_whole BEFORE TRUNCATE ON audit_checkpoints EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_segments_keep BEFORE UPDATE OR DELETE ON audit_segments FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_segments_whole BEFORE TRUNCATE ON audit_segments EXECUTE FUNCTION audit_refuse();
