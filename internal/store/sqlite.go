package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	sqlitedriver "modernc.org/sqlite"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/fileaccess"
)

var sqlite = &dialect{
	name:         "sqlite",
	pairs:        "json_each",
	contains:     `instr(column, ?) > 0`,
	singleWriter: true,
	appenders:    1,
	conflict:     sqliteConflict,
	retry:        func(error) bool { return false },
	open:         openSQLite,
	lockInstance: func(context.Context, *DB, bool) error { return nil }, // Open has locked the file
	usage:        usageSQLite,
	compact:      compactSQLite,
	backup:       backupSQLite,
	integrity:    integritySQLite,
	version:      versionSQLite,
	tableSize:    tableSizeSQLite,
}

// SQLite's result codes: https://www.sqlite.org/rescode.html
const (
	sqliteIO         = 10
	sqliteCorrupt    = 11
	sqliteFull       = 13
	sqliteNotADB     = 26
	sqliteForeignKey = 787
	sqlitePrimaryKey = 1555
	sqliteUnique     = 2067
)

func sqliteCode(err error) int {
	var e *sqlitedriver.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

func sqliteConflict(err error) (unique, foreignKey bool) {
	code := sqliteCode(err)
	return code == sqliteUnique || code == sqlitePrimaryKey, code == sqliteForeignKey
}

// readerIdle is how long an idle read connection of SQLite stays open. Each connection maps
// the file, and the mapped pages count as resident memory once for each. The pool takes the
// connection that was used last, so that one remains in quiet times.
const readerIdle = 20 * time.Second

// A guardedConnector opens no connection while check fails. SQLite would take another file that
// is at the database's path for a database of its own, and replace the WAL beside it.
type guardedConnector struct {
	dsn   string
	check func() error
}

func (c guardedConnector) Driver() driver.Driver { return &sqlitedriver.Driver{} }

func (c guardedConnector) Connect(context.Context) (driver.Conn, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	conn, err := c.Driver().Open(c.dsn)
	if err != nil {
		return nil, err
	}
	if err := c.check(); err != nil { // it was replaced in this very moment
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func openSQLite(ctx context.Context, db *DB, o Options) (err error) {
	db.path = o.Path
	if err := os.MkdirAll(filepath.Dir(o.Path), 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if !o.Tool {
		if db.unlock, err = fileaccess.Lock(o.Path + ".lock"); err != nil {
			db.unlock = func() {}
			return err
		}
	}
	if err := errors.Join(fileaccess.Check(o.Path), fileaccess.Check(o.Path+"-wal"),
		fileaccess.Check(o.Path+"-shm")); err != nil {
		return err
	}
	if err := createFile(db.log, o.Path); err != nil {
		return err
	}
	if db.guard, err = guardFile(db.log, o.Path); err != nil {
		return sqliteOpenError(o.Path, err)
	}
	name, err := fileURI(o.Path)
	if err != nil {
		return err
	}
	// auto_vacuum takes effect for a new file, and for a copy by VACUUM INTO.
	const pragmas = "?_pragma=busy_timeout(10000)&_pragma=auto_vacuum(incremental)&_pragma=foreign_keys(1)" +
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	// Keep the undo data of savepoints in memory: in a file it costs a fifth of a group commit.
	db.writeDB = sql.OpenDB(guardedConnector{name + pragmas + "&_pragma=temp_store(memory)", db.guard.same})
	db.writeDB.SetMaxOpenConns(1)
	if err := db.writeDB.PingContext(ctx); err != nil {
		return sqliteOpenError(o.Path, err)
	}
	read := guardedConnector{name + pragmas + "&_pragma=query_only(1)&_pragma=mmap_size(268435456)", db.guard.present}
	db.read = &reader{DB: sql.OpenDB(read), cacheStatements: true}
	n := max(4, runtime.GOMAXPROCS(0))
	db.read.SetMaxOpenConns(n)
	db.read.SetMaxIdleConns(n)
	db.read.SetConnMaxIdleTime(readerIdle)
	return nil
}

func sqliteOpenError(path string, err error) error {
	switch sqliteCode(err) & 0xff {
	case sqliteNotADB:
		return fmt.Errorf("%s is not a SQLite database; move it away, or restore a backup with `unhidra restore`: %w", path,
			err)
	case sqliteFull, sqliteIO:
		return fmt.Errorf("%s cannot be opened: its disk is full, or fails; make some room, and start again: %w", path, err)
	case sqliteCorrupt:
		return fmt.Errorf("%s is damaged; restore a backup with `unhidra restore`: %w", path, err)
	}
	return fmt.Errorf("open %s: %w", path, err)
}

const (
	compactPages = 256  // returned to the disk in one step: 1 MiB
	minFreePages = 4096 // at least this many, or a tenth of all pages, stay free for later writes
	incremental  = 2    // SQLite's auto_vacuum mode
)

// pageStats describe the pages of a SQLite file.
type pageStats struct{ size, all, free, mode int64 }

func (db *DB) pageStats(ctx context.Context) (p pageStats, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT s.page_size, c.page_count, f.freelist_count, v.auto_vacuum
		FROM pragma_page_size() s, pragma_page_count() c, pragma_freelist_count() f, pragma_auto_vacuum()
		v`).Scan(&p.size, &p.all, &p.free, &p.mode)
	return p, err
}

func usageSQLite(ctx context.Context, db *DB) (domain.StoreUsage, error) {
	p, err := db.pageStats(ctx)
	u := domain.StoreUsage{Kind: db.dialect.name, Bytes: p.all * p.size, Free: p.free * p.size, Log: -1,
		Shrinks: p.mode == incremental}
	if info, err := os.Stat(db.path + "-wal"); err == nil {
		u.Log = info.Size()
	}
	return u, err
}

func compactSQLite(ctx context.Context, db *DB) (more bool, err error) {
	p, err := db.pageStats(ctx)
	if err != nil || p.mode != incremental || p.free <= max(minFreePages, p.all/10) {
		return false, err
	}
	return true, db.Write(ctx, func(ctx context.Context, t *Tx) error {
		rows, err := t.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", compactPages))
		if err != nil {
			return err
		}
		_, err = Collect(rows, func(*sql.Rows) (struct{}, error) { return struct{}{}, nil }) // a row for each page
		return err
	})
}

func backupSQLite(ctx context.Context, db *DB, path string) error {
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
	// query_only would also forbid writing to the new file.
	if _, err := c.ExecContext(ctx, "PRAGMA query_only = 0"); err != nil {
		return err
	}
	defer func() { _, _ = c.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only = 1") }()
	_, err = c.ExecContext(ctx, "VACUUM INTO $1", path)
	return err
}

// integritySQLite runs SQLite's integrity check. FTS5 caches the structure of its index on each
// connection, and reports a stale cache as damage. So a search refreshes it first, in the same
// snapshot.
func integritySQLite(ctx context.Context, db *DB) error {
	unread := func(err error) error {
		return fmt.Errorf("the database cannot be read through; restore a backup with `unhidra restore`: %w", err)
	}
	snapshot, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return unread(err)
	}
	defer func() { _ = snapshot.Rollback() }() // nothing was written
	indexes, err := textIndexes(ctx, snapshot)
	if err != nil {
		return unread(err)
	}
	for _, name := range indexes {
		var found int
		query := `SELECT count(*) FROM (SELECT rowid FROM ` + name + ` WHERE ` + name + ` MATCH 'x' LIMIT 1)`
		if err := snapshot.QueryRowContext(ctx, query).Scan(&found); err != nil {
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

// textIndexes returns the names of the FTS5 tables.
func textIndexes(ctx context.Context, q Queryer) ([]string, error) {
	rows, err := q.QueryContext(ctx,
		`SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%fts5%'`)
	if err != nil {
		return nil, err
	}
	return Collect(rows, ScanString)
}
