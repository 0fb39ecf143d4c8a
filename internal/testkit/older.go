package testkit

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

// EachOlder runs fn with a SQLite file and a PostgreSQL database that have the schema up to
// a step, as a program from then left them.
func EachOlder(t *testing.T, step int, fn func(t *testing.T, o store.Options)) {
	t.Run("sqlite", func(t *testing.T) {
		o := NewFile(t)
		older(t, o, "sqlite", step)
		fn(t, o)
	})
	t.Run("postgres", func(t *testing.T) {
		o := store.Options{URL: pgtest.Database(t, nil)}
		older(t, o, "postgres", step)
		fn(t, o)
	})
}

func older(t *testing.T, o store.Options, kind string, step int) {
	t.Helper()
	top, err := checkout()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(top, "internal", "store", "sql", kind, "*.sql"))
	if err != nil || len(files) < step {
		t.Fatalf("there are %d steps: %v", len(files), err)
	}
	db := Raw(t, o)
	do := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%.60s: %v", statement, err)
		}
	}
	do(`CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, sum TEXT NOT NULL, at BIGINT NOT NULL)`)
	for i, f := range files[:step] {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		do(string(text))
		do(`INSERT INTO schema_migrations VALUES ($1, $2, 0)`, i+1, fmt.Sprintf("%x", sha256.Sum256(text)))
		if rest, ok := strings.CutPrefix(string(text), "-- oldest: "); ok {
			number, _, _ := strings.Cut(rest, "\n")
			oldest, err := strconv.Atoi(number)
			if err != nil {
				t.Fatal(err)
			}
			do(`INSERT INTO schema_compatible VALUES ($1, $2)`, i+1, oldest)
		}
	}
}
