package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Lock takes the lock that a server holds on the SQLite file at path, or fails
// because one holds it.
func Lock(path string) (unlock func(), err error) { return lockFile(path + ".lock") }

// Backup writes a copy of the database, as it is at one moment, to path, which
// must not exist. Writes go on meanwhile. Only SQLite can do this.
func (db *DB) Backup(ctx context.Context, path string) error {
	if db.dialect != sqlite {
		return errors.New("PostgreSQL is copied by pg_dump")
	}
	path, err := filepath.Abs(path) // a relative one could look like a URI
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // SQLite fills an empty one
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already", path)
	} else if err != nil {
		return err
	}
	if err := db.vacuumInto(ctx, path); err != nil {
		return errors.Join(fmt.Errorf("copy the database: %w", err), f.Close(), os.Remove(path))
	}
	return errors.Join(f.Sync(), f.Close())
}

func (db *DB) vacuumInto(ctx context.Context, path string) error {
	c, err := db.read.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	// The reader's own guard against writing also holds for other files.
	if _, err := c.ExecContext(ctx, "PRAGMA query_only = 0"); err != nil {
		return err
	}
	defer func() { _, _ = c.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only = 1") }()
	_, err = c.ExecContext(ctx, "VACUUM INTO $1", path)
	return err
}

// Check looks through the whole database for damage: its structure where that
// can be seen, and the promises of the log.
func (db *DB) Check(ctx context.Context) error {
	if db.dialect == sqlite {
		if err := db.integrity(ctx); err != nil {
			return err
		}
	}
	var room string
	err := db.read.QueryRowContext(ctx, `SELECT COALESCE(MIN(id), '') FROM rooms r WHERE head <> (SELECT COALESCE(MAX(seq), r.floor) FROM events WHERE room_id = r.id)
		OR head - floor <> (SELECT COUNT(*) FROM events WHERE room_id = r.id)`).Scan(&room)
	if err != nil {
		return err
	}
	if room != "" {
		return fmt.Errorf("the log of room %s has a gap; restore a backup with `unhidra restore`", room)
	}
	return nil
}

// integrity has SQLite look through its file. A connection that has searched
// remembers how the index was then, and takes what it finds now for damage: it
// searches first, in the same snapshot.
func (db *DB) integrity(ctx context.Context) error {
	unread := func(err error) error {
		return fmt.Errorf("the database cannot be read through; restore a backup with `unhidra restore`: %w", err)
	}
	snapshot, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return unread(err)
	}
	defer func() { _ = snapshot.Rollback() }() // nothing was written
	for _, index := range []string{"search", "search_words"} {
		var found int
		if err := snapshot.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT rowid FROM `+index+` WHERE `+index+` MATCH 'words : x' LIMIT 1)`).Scan(&found); err != nil {
			return unread(err)
		}
	}
	var verdict string
	if err := snapshot.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return unread(err)
	}
	if verdict != "ok" {
		return fmt.Errorf("the database is damaged (%s); restore a backup with `unhidra restore`", verdict)
	}
	return nil
}

// Verify checks the SQLite file at path, which no server uses, and whether this
// program can read it. It is brought to this program's schema for that.
func Verify(ctx context.Context, path string) error {
	db, err := Open(ctx, Options{Path: path, Tool: true})
	if err != nil {
		return err
	}
	return errors.Join(db.Check(ctx), db.Close())
}
