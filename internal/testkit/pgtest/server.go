package pgtest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/disk"
)

// The runner runs the server until its input ends, which it does when the keeper
// ends in whatever way. It then stops the server and removes its folder: nothing is
// left behind, even by a keeper that is killed. No test crashes this server, and so
// nothing of it is synced.
const runner = `
"$1"/postgres -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=500 -c shared_buffers=128MB -c max_wal_size=1GB -c fsync=off -c full_page_writes=off -c log_min_messages=warning &
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
	dir, err := os.MkdirTemp(dataRoot(), "unhidra-pg-")
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
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"),
		"-U", "unhidra", "-A", "trust", "-E", "UTF8", "--locale="+locale, "--no-sync")
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
	cmd := exec.Command("/bin/sh", "-c", runner, "runner", bin, dir)
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
	base := &url.URL{Scheme: "postgres", User: url.User("unhidra"), Path: "/postgres", RawQuery: query.Encode()}
	p := &postgres{held: input, base: base, end: func() error {
		return errors.Join(input.Close(), cmd.Wait())
	}}
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

// dataRoot is where the server's folder goes: in memory where there is room for it, as each test has a database of some
// 900 files, which takes seven times as long to make and to drop on a disk.
func dataRoot() string {
	const shared, room = "/dev/shm", 4 << 30
	if use, err := disk.Use(shared); err == nil && use.Free >= room {
		return shared
	}
	return socketRoot()
}

// socketRoot is where the folder of a server on the disk goes: the path of a Unix socket in it
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
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/opt/homebrew/opt/postgresql@*/bin/initdb",
	} {
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
