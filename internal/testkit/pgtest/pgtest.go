// Package pgtest gives tests databases on a real PostgreSQL: the one that
// UNHIDRA_TEST_POSTGRES names, or one that is started from the installed
// binaries and ends with the test process, however that ends.
package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver, to make and drop databases
)

// The server is shared by all tests of the process; each has a database of its
// own on it.
var shared struct {
	once    sync.Once
	server  *postgres
	err     error
	counter atomic.Int64
}

type postgres struct {
	base     *url.URL // of the maintenance database
	template string   // copied for each database; empty: none
	// keeper is never closed here: the end of this process closes it. It is held
	// so that the garbage collector does not.
	keeper io.Closer
}

// Database makes a database that goes with the test, and returns its URL.
// Prepare, if any, makes what all databases of this process begin with, such as
// the schema: it is called once, and what it made is copied. Without a PostgreSQL
// the test is skipped, and says so; in CI it fails.
func Database(tb testing.TB, prepare func(url string) error) string {
	tb.Helper()
	shared.once.Do(func() { shared.server, shared.err = connect(prepare) })
	if shared.err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatalf("no PostgreSQL, which CI must have: %v", shared.err)
		}
		tb.Skipf("no PostgreSQL to test on: %v", shared.err)
	}
	p := shared.server
	name := fmt.Sprintf("unhidra_test_%d_%d", os.Getpid(), shared.counter.Add(1))
	create := "CREATE DATABASE " + name
	if p.template != "" {
		create += " TEMPLATE " + p.template
	}
	if err := p.exec(create); err != nil {
		tb.Fatalf("make a database: %v", err)
	}
	tb.Cleanup(func() {
		if err := p.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			tb.Errorf("drop the database: %v", err)
		}
	})
	return p.url(name)
}

func (p *postgres) url(database string) string {
	u := *p.base
	u.Path = "/" + database
	return u.String()
}

func (p *postgres) exec(query string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	db, err := sql.Open("pgx", p.base.String())
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, query)
	return err
}

func connect(prepare func(url string) error) (*postgres, error) {
	if given := os.Getenv("UNHIDRA_TEST_POSTGRES"); given != "" {
		u, err := url.Parse(given)
		if err != nil {
			return nil, errors.New("UNHIDRA_TEST_POSTGRES is not a URL")
		}
		p := &postgres{base: u}
		return p, p.exec("SELECT 1")
	}
	p, err := start()
	if err != nil || prepare == nil {
		return p, err
	}
	return p, p.prepare(prepare)
}

// prepare makes the template, so that a test's database costs a copy of files
// and not a run of all migrations.
func (p *postgres) prepare(prepare func(url string) error) error {
	const name = "unhidra_template"
	if err := p.exec("CREATE DATABASE " + name); err != nil {
		return err
	}
	if err := prepare(p.url(name)); err != nil {
		return err
	}
	p.template = name
	return nil
}

// The keeper runs the server until its input ends, which it does when the test
// process ends in whatever way. It then stops the server and removes its folder:
// nothing is left behind, even by a test that is killed.
const keeper = `
"$1"/postgres -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=300 -c shared_buffers=64MB -c max_wal_size=4GB -c log_min_messages=warning &
read -r _
kill -TERM $! 2>/dev/null # ends it even before it listens to signals
kill -INT $! 2>/dev/null  # ends it though clients may seem to be there
wait
rm -rf "$2"
`

func start() (*postgres, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(socketRoot(), "unhidra-pg-")
	if err != nil {
		return nil, err
	}
	as, err := unprivileged(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	locale := "C.UTF-8"
	if runtime.GOOS != "linux" {
		locale = "en_US.UTF-8"
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "unhidra", "-A", "trust", "-E", "UTF8", "--locale="+locale, "--no-sync")
	initdb.Dir = dir
	as(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(dir))
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", "-c", keeper, "keeper", bin, dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	as(cmd)
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	query := url.Values{"host": {dir}, "port": {"5432"}}
	p := &postgres{keeper: input, base: &url.URL{Scheme: "postgres", User: url.User("unhidra"), Path: "/postgres", RawQuery: query.Encode()}}
	return p, p.wait(filepath.Join(dir, "log"))
}

func (p *postgres) wait(log string) error {
	deadline := time.After(time.Minute)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.exec("SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			text, _ := os.ReadFile(log)
			return fmt.Errorf("PostgreSQL does not start: %w\n%s", err, text)
		}
	}
}

// socketRoot is where the server's folder goes: the path of a Unix socket in it
// may have about 100 bytes.
func socketRoot() string {
	if dir := os.TempDir(); len(dir) < 60 {
		return dir
	}
	return "/tmp"
}

// binaries finds the newest installed server.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/opt/homebrew/opt/postgresql@*/bin/initdb"} {
		m, _ := filepath.Glob(pattern)
		found = append(found, m...)
	}
	if len(found) == 0 {
		return "", errors.New("install it (Debian: the package postgresql) or name one by UNHIDRA_TEST_POSTGRES=postgres://…")
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

func version(path string) int {
	digits := ""
	for _, c := range filepath.Base(filepath.Dir(filepath.Dir(path))) {
		if c >= '0' && c <= '9' {
			digits += string(c)
		}
	}
	n, _ := strconv.Atoi(digits)
	return n
}

// account finds someone who is not root: PostgreSQL refuses to run as root.
func account() (uid, gid int, err error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := errors.Join(err1, err2); err != nil {
			return 0, 0, err
		}
		return uid, gid, nil
	}
	return 0, 0, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}
