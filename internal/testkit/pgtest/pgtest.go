// Package pgtest gives tests databases on a real PostgreSQL: the one that
// UNHIDRA_TEST_POSTGRES names, or one that is started from the installed binaries,
// which all test processes of a user share, and which ends soon after the last.
package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver, to make and drop databases
)

type postgres struct {
	base  *url.URL // of the maintenance database
	given bool     // it was there before the tests, and stays
	// held is never closed here: the end of this process closes it. It stands here
	// so that the garbage collector does not.
	held io.Closer
	end  func() error // for its keeper: ends it, and waits
}

// connect returns the server of this process's tests.
var connect = sync.OnceValues(func() (*postgres, error) {
	given := os.Getenv("UNHIDRA_TEST_POSTGRES")
	if given == "" {
		return join(state())
	}
	u, err := url.Parse(given)
	if err != nil {
		return nil, errors.New("UNHIDRA_TEST_POSTGRES is not a URL")
	}
	p := &postgres{base: u, given: true}
	return p, p.exec("SELECT 1")
})

// Database makes a database that goes with the test, and returns its URL. It is a
// copy of the template, or empty if that is nil. Without a PostgreSQL the test is
// skipped, and says so; in CI it fails.
func Database(tb testing.TB, from *Template) string {
	tb.Helper()
	p, err := connect()
	if err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatalf("no PostgreSQL, which CI must have: %v", err)
		}
		tb.Skipf("no PostgreSQL to test on: %v", err)
	}
	name := unique("unhidra_test_")
	if err := p.create(name, from); err != nil {
		tb.Fatalf("make a database: %v", err)
	}
	tb.Cleanup(func() {
		if err := p.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			tb.Errorf("drop the database: %v", err)
		}
	})
	return p.url(name)
}

func (p *postgres) create(name string, from *Template) error {
	if from == nil {
		return p.exec("CREATE DATABASE " + name)
	}
	copied := "CREATE DATABASE " + name + " TEMPLATE " + from.name()
	err := p.exec(copied)
	for range 3 { // another checkout, whose template is another, may drop this one
		if !is(err, noDatabase) {
			break
		}
		if err = p.makeTemplate(from); err == nil {
			err = p.exec(copied)
		}
	}
	return err
}

func (p *postgres) url(database string) string {
	u := *p.base
	u.Path = "/" + database
	return u.String()
}

func (p *postgres) exec(query string) error {
	return p.do(func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, query)
		return err
	})
}

func (p *postgres) do(fn func(context.Context, *sql.DB) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", p.base.String())
	if err != nil {
		return err
	}
	defer db.Close()
	return fn(ctx, db)
}

// PostgreSQL's codes, from its manual's appendix A.
const (
	noDatabase = "3D000" // invalid_catalog_name
	duplicate  = "42P04" // duplicate_database
	raced      = "23505" // unique_violation: of two that make a name at the same moment, the second
	inUse      = "55006" // object_in_use
)

func is(err error, code string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == code
}

// unique makes a name that no database has: of this process, of one that had its
// number before and was killed, and of those on other machines.
func unique(prefix string) string {
	return fmt.Sprintf("%s%d_%s", prefix, os.Getpid(), randomText())
}
