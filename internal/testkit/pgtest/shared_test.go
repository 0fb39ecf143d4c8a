//go:build unix

package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit/flock"
)

func TestServerEndsSoonAfterItsLastUser(t *testing.T) {
	t.Parallel()
	if _, err := binaries(); err != nil {
		t.Skipf("no PostgreSQL to test on: %v", err)
	}
	const grace = 200 * time.Millisecond
	dir := t.TempDir()
	using, err := flock.Shared(usersLock(dir))
	if err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- keep(dir, grace, func() { close(started) }) }()
	select {
	case <-started:
	case err := <-ended:
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		t.Fatalf("the server ended while it was used: %v", err)
	case <-time.After(3 * grace):
	}
	p := running(dir)
	if p == nil {
		t.Fatal("the server does not answer")
	}
	if err := using.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := p.exec("SELECT 1"); err == nil || running(dir) != nil {
		t.Error("the server is still there")
	}
	if _, err := os.Stat(p.base.Query().Get("host")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder: %v", err)
	}
}

// A template that another checkout has dropped is made again, and is made once for
// those who want it at the same time.
func TestTemplateIsMadeWhenItIsNotThere(t *testing.T) {
	t.Parallel()
	p, err := connect()
	if err != nil {
		t.Skipf("no PostgreSQL to test on: %v", err)
	}
	from := &Template{Version: randomText(), Prepare: func(url string) error {
		db, err := sql.Open("pgx", url)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.ExecContext(context.Background(), "CREATE TABLE prepared AS SELECT 1 AS n")
		return err
	}}
	t.Cleanup(func() {
		if err := p.exec("DROP DATABASE " + from.name()); err != nil {
			t.Error(err)
		}
	})
	copied := func() error {
		name := unique("unhidra_test_")
		if err := p.create(name, from); err != nil {
			return err
		}
		db, err := sql.Open("pgx", p.url(name))
		if err != nil {
			return err
		}
		var n int
		err = db.QueryRowContext(t.Context(), "SELECT n FROM prepared").Scan(&n)
		return errors.Join(err, db.Close(), p.exec("DROP DATABASE "+name+" WITH (FORCE)"))
	}
	errs := make(chan error)
	for range 3 {
		go func() { errs <- copied() }()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if err := p.settled("DROP DATABASE " + from.name()); err != nil {
		t.Fatal(err)
	}
	if err := copied(); err != nil {
		t.Error(err)
	}
}

// Processes that need a template at the same moment all make it. The first that is done gives it
// its name, and the others use that one.
func TestTemplateIsMadeByManyAtOnce(t *testing.T) {
	t.Parallel()
	p, err := connect()
	if err != nil {
		t.Skipf("no PostgreSQL to test on: %v", err)
	}
	const makers = 8
	var prepared sync.WaitGroup
	prepared.Add(makers)
	from := &Template{Version: randomText(), Prepare: func(string) error {
		prepared.Done()
		prepared.Wait() // so that all rename at once
		return nil
	}}
	t.Cleanup(func() {
		if err := p.exec("DROP DATABASE " + from.name()); err != nil {
			t.Error(err)
		}
	})
	var all sync.WaitGroup
	for range makers {
		all.Go(func() {
			if err := p.makeTemplate(from); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
