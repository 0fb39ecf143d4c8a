package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	sqlitedriver "modernc.org/sqlite"

	"github.com/unhidra/unhidra/internal/domain"
)

// A dialect is all that differs between the two databases. Queries are written
// once, with $1 placeholders and in the SQL that both understand.
type dialect struct {
	name      string
	forUpdate string // row lock in a SELECT; SQLite has none and needs none
	// tables lists the names of tables, for the test that both schemas agree.
	tables string
	// pairs is the function that makes rows of a JSON object.
	pairs string
	// within is true of audit records whose body has some bytes.
	within string
	// conflict says what a driver's error means.
	conflict func(err error) (unique, foreignKey bool)
	// retry reports whether a transaction that failed so may simply run again.
	retry func(err error) bool
}

var sqlite = &dialect{
	name:     "sqlite",
	tables:   `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
	pairs:    "json_each",
	within:   `instr(r.body, ?) > 0`,
	conflict: sqliteConflict,
	retry:    func(error) bool { return false },
}

var postgres = &dialect{
	name:      "postgres",
	forUpdate: " FOR UPDATE",
	tables:    `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`,
	pairs:     "json_each_text",
	within:    `position(?::bytea in r.body) > 0`,
	conflict:  postgresConflict,
	retry:     postgresRetry,
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

func postgresCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func postgresConflict(err error) (unique, foreignKey bool) {
	code := postgresCode(err)
	return code == "23505", code == "23503"
}

// Serialization failure and deadlock: the other side won, run again.
func postgresRetry(err error) bool {
	code := postgresCode(err)
	return code == "40001" || code == "40P01"
}

// readerIdle is how long a reader of SQLite is kept that nobody needs. Each maps the
// file for itself, and its pages count as resident once for each; the one that was
// used last is taken first, so that in quiet times one remains.
const readerIdle = 20 * time.Second

func (db *DB) openSQLite(ctx context.Context, o Options) (err error) {
	db.dialect, db.path = sqlite, o.Path
	if err := os.MkdirAll(filepath.Dir(o.Path), 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if !o.Tool {
		if db.unlock, err = lockFile(o.Path + ".lock"); err != nil {
			db.unlock = func() {}
			return err
		}
	}
	if err := errors.Join(denied(o.Path), denied(o.Path+"-wal"), denied(o.Path+"-shm")); err != nil {
		return err
	}
	if err := claimFile(db.log, o.Path); err != nil {
		return err
	}
	name, err := uri(o.Path)
	if err != nil {
		return err
	}
	// The mode of vacuuming counts for a file that is made now, and for a copy.
	const pragmas = "?_pragma=busy_timeout(10000)&_pragma=auto_vacuum(incremental)&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	// What a savepoint would undo is kept in memory: in a file it costs a fifth of
	// a group commit.
	if db.write1, err = sql.Open("sqlite", name+pragmas+"&_pragma=temp_store(memory)"); err != nil {
		return err
	}
	db.write1.SetMaxOpenConns(1)
	if err := db.write1.PingContext(ctx); err != nil {
		return sqliteOpenError(o.Path, err)
	}
	if db.guard, err = guardFile(db.log, o.Path); err != nil {
		return sqliteOpenError(o.Path, err)
	}
	read, err := sql.Open("sqlite", name+pragmas+"&_pragma=query_only(1)&_pragma=mmap_size(268435456)")
	if err != nil {
		return err
	}
	db.read = &reader{DB: read, keep: true}
	n := max(4, runtime.GOMAXPROCS(0))
	db.read.SetMaxOpenConns(n)
	db.read.SetMaxIdleConns(n)
	db.read.SetConnMaxIdleTime(readerIdle)
	return nil
}

func sqliteOpenError(path string, err error) error {
	switch sqliteCode(err) & 0xff {
	case sqliteNotADB:
		return fmt.Errorf("%s is not a SQLite database; move it away, or restore a backup with `unhidra restore`: %w", path, err)
	case sqliteFull, sqliteIO:
		return fmt.Errorf("%s cannot be opened: its disk is full, or fails; make some room, and start again: %w", path, err)
	case sqliteCorrupt:
		return fmt.Errorf("%s is damaged; restore a backup with `unhidra restore`: %w", path, err)
	}
	return fmt.Errorf("open %s: %w", path, err)
}

// failed turns a driver's error into what a caller may act upon. Errors that
// are classified already, and ends of contexts, pass through.
func (db *DB) failed(err error) error {
	var e *domain.Error
	switch {
	case err == nil, errors.As(err, &e), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, sql.ErrNoRows):
		return err
	}
	if unique, foreign := db.dialect.conflict(err); unique || foreign {
		return err
	}
	return domain.Unavailable.Errorf("store_unavailable", "the server cannot write to its storage just now; try again").After(retryWrite).Because(err)
}

// holders returns "$from,$from+1,..." for n values.
func holders(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(from + i))
	}
	return b.String()
}

// rowsOf returns "($1,$2),($3,$4),..." for n rows of width values, which are a
// statement's first arguments. SQLite gets unnumbered ones: it takes numbers for
// names, and looks each up among all others.
func (d *dialect) rowsOf(n, width int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		if d == sqlite {
			b.WriteString("?" + strings.Repeat(",?", width-1))
		} else {
			b.WriteString(holders(1+i*width, width))
		}
		b.WriteByte(')')
	}
	return b.String()
}

func anys[T any](vs []T) []any {
	as := make([]any, len(vs))
	for i, v := range vs {
		as[i] = v
	}
	return as
}
