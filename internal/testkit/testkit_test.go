package testkit

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/unhidra/unhidra/internal/store/all"
)

func TestEachStore(t *testing.T) {
	EachStore(t, func(t *testing.T, db *all.Store) {
		if err := db.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Log(db.Name())
	})
}

// The file of a test has the whole schema before a store opens it, and is that test's alone.
func TestSQLiteIsACopyOfTheSchema(t *testing.T) {
	t.Parallel()
	steps, err := os.ReadDir("../store/sql/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	first, second := Raw(t, SQLite(t)), Raw(t, SQLite(t))
	if _, err := first.ExecContext(t.Context(), `INSERT INTO schema_migrations VALUES (9999, 'x', 0)`); err != nil {
		t.Fatal(err)
	}
	var n int
	err = second.QueryRowContext(t.Context(), `SELECT count(*) FROM schema_migrations`).Scan(&n)
	if err != nil || n != len(steps) {
		t.Errorf("%d of %d steps are there: %v", n, len(steps), err)
	}
	if _, err := os.Stat(NewFile(t).Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a new file is there: %v", err)
	}
}
