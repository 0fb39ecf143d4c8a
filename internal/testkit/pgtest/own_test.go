package pgtest_test

import (
	"database/sql"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

// TestCrash: what is committed outlives a crash.
func TestCrash(t *testing.T) {
	pg := pgtest.Start(t, node.Port(t), "")
	db, err := sql.Open("pgx", pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE t AS SELECT 1 AS a`); err != nil {
		t.Fatal(err)
	}
	pg.Crash()
	if err := db.PingContext(t.Context()); err == nil {
		t.Error("a crashed server answers")
	}
	pg.Restart()
	var n int
	if err := db.QueryRowContext(t.Context(), `SELECT a FROM t`).Scan(&n); err != nil || n != 1 {
		t.Errorf("after the crash: %d, %v", n, err)
	}
}
