package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// An Own is a PostgreSQL that belongs to one test, which may crash it. It listens
// on the loopback.
type Own struct {
	tb     testing.TB
	dir    string
	bin    string          // where its programs are
	as     func(*exec.Cmd) // has a program run as the server's user
	port   int
	orders io.WriteCloser
	done   *bufio.Reader
}

// The minder starts the server, and obeys: "crash" ends it without a shutdown, as
// `pg_ctl stop -m immediate` does, and "start" starts it again. The end of its
// orders, which is that of the test process, ends it all.
const minder = `
serve() { "$1"/postgres -D "$2/data" -k "$2" -p "$3" -c listen_addresses=127.0.0.1 -c max_connections=300 -c shared_buffers=64MB -c log_min_messages=warning >>"$2/log" 2>&1 & }
serve "$@"
echo started
while read -r order; do
	case $order in
	crash) kill -QUIT $! 2>/dev/null; wait ;;
	start) serve "$@" ;;
	esac
	echo "$order"
done
kill -INT $! 2>/dev/null
wait
rm -rf "$2/data" "$2/log" "$2"/.s.*
rmdir "$2" 2>/dev/null
`

// Start starts a PostgreSQL for one test, whose files are in a new folder, or, if
// named, in dir: a file system that a test fills, or one whose folder data has a base
// backup. Without an installed one the test is skipped, and says so; in CI it fails.
func Start(tb testing.TB, port int, dir string) *Own {
	tb.Helper()
	o := &Own{tb: tb, dir: dir, port: port}
	if err := o.start(); err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatalf("no PostgreSQL, which CI must have: %v", err)
		}
		tb.Skipf("no PostgreSQL to test on: %v", err)
	}
	return o
}

func (o *Own) start() error {
	var err error
	if o.bin, err = binaries(); err != nil {
		return err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp(socketRoot(), "unhidra-pg-"); err != nil {
			return err
		}
	}
	if o.as, err = unprivileged(o.dir); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(o.dir, "data")); err != nil {
		err := o.Run("initdb", "-D", filepath.Join(o.dir, "data"), "-U", "unhidra", "-A", "trust", "-E", "UTF8",
			"--locale=C.UTF-8", "--no-sync")
		if err != nil {
			return err
		}
	}
	cmd := exec.Command("/bin/sh", "-c", minder, "minder", o.bin, o.dir, strconv.Itoa(o.port))
	cmd.Dir = o.dir
	o.as(cmd)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return err
	}
	o.orders, o.done = in, bufio.NewReader(out)
	o.tb.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	if _, err := o.done.ReadString('\n'); err != nil {
		return err
	}
	return o.wait()
}

// Run runs one of PostgreSQL's programs, as the user that the server runs as.
func (o *Own) Run(program string, args ...string) error {
	cmd := exec.Command(filepath.Join(o.bin, program), args...)
	cmd.Dir = o.dir
	o.as(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return nil
}

func (o *Own) wait() error {
	u, err := url.Parse(o.URL())
	if err != nil {
		return err
	}
	return (&postgres{base: u}).wait(filepath.Join(o.dir, "log"))
}

// URL returns where the database is.
func (o *Own) URL() string { return Through(o.Addr()) }

// Through returns the database's URL by way of another address.
func Through(addr string) string {
	return "postgres://unhidra@" + addr + "/postgres?sslmode=disable"
}

// Addr returns the host and port that it listens on.
func (o *Own) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port)) }

// Crash ends it without a shutdown: connections break, and what was not yet in its
// files is read again from its own log at the next start.
func (o *Own) Crash() { o.order("crash") }

// Restart starts it after a crash, and waits until it answers.
func (o *Own) Restart() {
	o.tb.Helper()
	o.order("start")
	if err := o.wait(); err != nil {
		o.tb.Errorf("PostgreSQL after a crash: %v", err)
	}
}

func (o *Own) order(what string) {
	o.tb.Helper()
	if _, err := fmt.Fprintln(o.orders, what); err != nil {
		o.tb.Errorf("PostgreSQL: %s: %v", what, err)
		return
	}
	if _, err := o.done.ReadString('\n'); err != nil {
		o.tb.Errorf("PostgreSQL: %s: %v", what, err)
	}
}

// PID returns the number of its first process.
func (o *Own) PID() int {
	o.tb.Helper()
	b, err := os.ReadFile(filepath.Join(o.dir, "data", "postmaster.pid"))
	if err != nil {
		o.tb.Fatal(err)
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		o.tb.Fatal(err)
	}
	return pid
}
