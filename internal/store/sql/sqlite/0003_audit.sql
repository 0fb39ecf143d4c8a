-- Where the chain stands: one row.
CREATE TABLE audit_chain (
    id        BIGINT PRIMARY KEY CHECK (id = 1),
    chain     TEXT NOT NULL,
    seq       BIGINT NOT NULL,
    hash      BLOB NOT NULL,
    day       BIGINT NOT NULL,
    check_seq BIGINT NOT NULL,
    check_sum BLOB NOT NULL
);

-- The records. The columns beside body repeat a part of it, to search by.
CREATE TABLE audit_records (
    seq    BIGINT PRIMARY KEY,
    day    BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    type   TEXT NOT NULL,
    actor  TEXT NOT NULL,
    target TEXT NOT NULL,
    body   BLOB NOT NULL,
    hash   BLOB NOT NULL
);
CREATE INDEX audit_records_at ON audit_records (at);
CREATE INDEX audit_records_type ON audit_records (type, seq);
CREATE INDEX audit_records_actor ON audit_records (actor, seq) WHERE actor <> '';

-- What can be erased: body has only salted hashes of it.
CREATE TABLE audit_personal (
    seq   BIGINT PRIMARY KEY,
    actor TEXT NOT NULL,
    at    BIGINT NOT NULL,
    salt  BLOB NOT NULL,
    data  BLOB NOT NULL
);
CREATE INDEX audit_personal_at ON audit_personal (at);
CREATE INDEX audit_personal_actor ON audit_personal (actor) WHERE actor <> '';

-- Signed statements of where the chain stood.
CREATE TABLE audit_checkpoints (
    seq  BIGINT PRIMARY KEY,
    body BLOB NOT NULL,
    sig  BLOB NOT NULL,
    sum  BLOB NOT NULL
);

-- What remains of days that were deleted.
CREATE TABLE audit_segments (
    last_seq  BIGINT PRIMARY KEY,
    first_seq BIGINT NOT NULL,
    body      BLOB NOT NULL,
    sig       BLOB NOT NULL
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
CREATE TRIGGER audit_records_keep BEFORE UPDATE ON audit_records
BEGIN
    SELECT RAISE(ABORT, 'audit records are never changed');
END;
CREATE TRIGGER audit_records_stay BEFORE DELETE ON audit_records
WHEN NOT EXISTS (SELECT 1 FROM audit_segments WHERE last_seq >= OLD.seq AND first_seq <= OLD.seq)
BEGIN
    SELECT RAISE(ABORT, 'audit records are deleted by whole days, with a segment in their place');
END;
CREATE TRIGGER audit_checkpoints_keep BEFORE UPDATE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'checkpoints are never changed');
END;
CREATE TRIGGER audit_checkpoints_stay BEFORE DELETE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'checkpoints are never deleted');
END;
CREATE TRIGGER audit_segments_keep BEFORE UPDATE ON audit_segments
BEGIN
    SELECT RAISE(ABORT, 'segments are never changed');
END;
CREATE TRIGGER audit_segments_stay BEFORE DELETE ON audit_segments
BEGIN
    SELECT RAISE(ABORT, 'segments are never deleted');
END;
