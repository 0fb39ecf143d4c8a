package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unhidra/unhidra/internal/testkit/flock"
)

const (
	// keeperEnv makes a program with this package the keeper of a folder.
	keeperEnv = "UNHIDRA_TEST_POSTGRES_KEEPER"
	// grace is for how long the server waits for the next process: packages are tested
	// one after the other.
	grace = 15 * time.Second
)

// state is the folder by which the test processes of a user find their server. It
// has two locks, which stay, and while there is a server its URL.
func state() string {
	return filepath.Join(socketRoot(), fmt.Sprint("unhidra-postgres-", os.Getuid()))
}

func usersLock(dir string) string { return filepath.Join(dir, "users") }
func startLock(dir string) string { return filepath.Join(dir, "start") }
func urlFile(dir string) string   { return filepath.Join(dir, "url") }

// join returns the shared server, and starts it if there is none. It holds the
// users' lock for as long as the process lives: so long the server does not end.
func join(dir string) (*postgres, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	using, err := flock.Shared(usersLock(dir))
	if err != nil {
		return nil, err
	}
	starting, err := flock.Exclusive(startLock(dir))
	if err != nil {
		return nil, errors.Join(err, using.Close())
	}
	defer starting.Close()
	if p := running(dir); p != nil {
		p.held = using
		return p, nil
	}
	if err := startKeeper(dir); err != nil {
		return nil, errors.Join(err, using.Close())
	}
	p := running(dir)
	if p == nil {
		return nil, errors.Join(errors.New("PostgreSQL ended at once"), using.Close())
	}
	p.held = using
	return p, nil
}

// running returns the server that the folder names, if it answers.
func running(dir string) *postgres {
	text, err := os.ReadFile(urlFile(dir))
	if err != nil {
		return nil
	}
	u, err := url.Parse(string(text))
	if err != nil {
		return nil
	}
	p := &postgres{base: u}
	var busy *pgconn.PgError // is an answer
	if err := p.exec("SELECT 1"); err != nil && !errors.As(err, &busy) {
		return nil
	}
	return p
}

// startKeeper starts this very program as the keeper, and waits for its server.
func startKeeper(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), keeperEnv+"="+dir)
	apart(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer out.Close()
	go func() { _ = cmd.Wait() }()
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the keeper of PostgreSQL ended: %w", err)
	}
	if failed, ok := strings.CutPrefix(strings.TrimSpace(said), "failed: "); ok {
		return errors.New(failed)
	}
	return nil
}

// A test program is started a second time as the keeper: the server must outlive the
// process that came first.
func init() {
	dir := os.Getenv(keeperEnv)
	if dir == "" {
		return
	}
	if err := keep(dir, grace, func() { fmt.Println("started") }); err != nil {
		fmt.Println("failed: " + strings.ReplaceAll(err.Error(), "\n", " "))
		os.Exit(1)
	}
	os.Exit(0)
}

// keep runs a server until nobody has used it for so long. It calls started once the
// server answers.
func keep(dir string, grace time.Duration, started func()) error {
	p, err := start()
	if err != nil {
		return err
	}
	if err := os.WriteFile(urlFile(dir), []byte(p.base.String()), 0o600); err != nil {
		return errors.Join(err, p.end())
	}
	started()
	alone, err := unused(dir, grace)
	if err != nil {
		return errors.Join(err, p.end())
	}
	// Who comes now waits for this lock, and then finds no server.
	err = errors.Join(os.Remove(urlFile(dir)), p.end())
	return errors.Join(err, alone.Close())
}

// unused waits until the users' lock was free for so long, and returns it.
func unused(dir string, grace time.Duration) (*os.File, error) {
	last := time.Now()
	for {
		time.Sleep(grace / 20)
		lock, err := flock.TryExclusive(usersLock(dir))
		switch {
		case errors.Is(err, flock.ErrHeld):
			last = time.Now()
		case err != nil:
			return nil, err
		case time.Since(last) >= grace:
			return lock, nil
		default:
			if err := lock.Close(); err != nil {
				return nil, err
			}
		}
	}
}
