// Package testkit gives tests real stores: a SQLite file, and a database of its
// own on a PostgreSQL (package pgtest). Package live beside it starts whole
// servers.
package testkit

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

// EachStore runs fn once on SQLite and once on PostgreSQL, each time on a fresh
// and empty database. Without a PostgreSQL the second part is skipped, and says
// so; in CI it fails.
func EachStore(t *testing.T, fn func(t *testing.T, db *all.Store)) {
	t.Helper()
	Each(t, func(t *testing.T, o store.Options) { fn(t, Open(t, o)) })
}

// Each is EachStore for tests that open the database themselves.
func Each(t *testing.T, fn func(t *testing.T, o store.Options)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, Postgres(t)) })
}

// SQLite names a SQLite file with the schema and nothing else, which goes with the test.
func SQLite(tb testing.TB) store.Options {
	tb.Helper()
	content, err := file()
	if err != nil {
		tb.Fatalf("make the schema: %v", err)
	}
	o := NewFile(tb)
	if err := os.WriteFile(o.Path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return o
}

// NewFile names a SQLite file that does not exist yet and goes with the test.
func NewFile(tb testing.TB) store.Options {
	tb.Helper()
	return store.Options{Path: filepath.Join(tb.TempDir(), "unhidra.db"), Log: Logger(tb)}
}

// Postgres names a PostgreSQL database with the schema and nothing else, which goes with the test.
func Postgres(tb testing.TB) store.Options {
	tb.Helper()
	return store.Options{URL: pgtest.Database(tb, schema()), Log: Logger(tb)}
}

// migrated makes the schema.
func migrated(o store.Options) error {
	db, err := all.Open(context.Background(), o)
	if err != nil {
		return err
	}
	return db.Close()
}

// Open opens a store that is closed at the end of the test.
func Open(tb testing.TB, o store.Options) *all.Store {
	tb.Helper()
	_, bench := tb.(*testing.B)
	o.VerifyCache = !bench
	db, err := all.Open(tb.Context(), o)
	if err != nil {
		tb.Fatalf("open the store: %v", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close the store: %v", err)
		}
	})
	return db
}

// Raw opens the database itself, for a test that breaks what the store would not or
// looks at what it does not tell. It is closed at the end of the test.
func Raw(tb testing.TB, o store.Options) *sql.DB {
	tb.Helper()
	driver, dsn := "sqlite", "file:"+o.Path+"?_pragma=busy_timeout(10000)"
	if o.URL != "" {
		driver, dsn = "pgx", o.URL
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close the database: %v", err)
		}
	})
	return db
}

// Setting is a number from the environment, by which a run is made longer or
// repeated.
func Setting(tb testing.TB, name string, def uint64) uint64 {
	tb.Helper()
	v := os.Getenv(name)
	if v == "" {
		return def
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return n
}

// Logger logs to the test's own output, which shows only if the test fails or
// with -v: warnings, or everything if UNHIDRA_TEST_LOG is set.
func Logger(tb testing.TB) *slog.Logger {
	level := slog.LevelWarn
	if os.Getenv("UNHIDRA_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: level}))
}
