package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Folder makes a folder that PostgreSQL's user may write to, and that goes with the test: for an
// archive of the log, or for a base backup that Start is given.
func Folder(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp(socketRoot(), "unhidra-pg-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	if _, err := unprivileged(dir); err != nil {
		tb.Skipf("no PostgreSQL to test on: %v", err)
	}
	return dir
}

// Exec runs a statement as the superuser.
func (o *Own) Exec(query string) {
	o.tb.Helper()
	o.do(func(ctx context.Context, db *sql.DB) error {
		_, err := db.ExecContext(ctx, query)
		return err
	}, query)
}

// Ask returns the only value of a query's only row, as text.
func (o *Own) Ask(query string) (value string) {
	o.tb.Helper()
	o.do(func(ctx context.Context, db *sql.DB) error { return db.QueryRowContext(ctx, query).Scan(&value) }, query)
	return value
}

func (o *Own) do(fn func(context.Context, *sql.DB) error, query string) {
	o.tb.Helper()
	db, err := sql.Open("pgx", o.URL())
	if err != nil {
		o.tb.Fatal(err)
	}
	if err := errors.Join(fn(o.tb.Context(), db), db.Close()); err != nil {
		o.tb.Fatalf("%s: %v", query, err)
	}
}

// Archive has it archive its log, with a restart, and returns the folder.
func (o *Own) Archive() (dir string) {
	o.tb.Helper()
	dir = Folder(o.tb)
	o.Exec("ALTER SYSTEM SET archive_mode = on")
	o.Exec(fmt.Sprintf("ALTER SYSTEM SET archive_command = 'test ! -f %[1]s/%%f && cp %%p %[1]s/%%f'", dir))
	o.Crash()
	o.Restart()
	return dir
}

// BaseBackup has pg_basebackup write a base backup to the folder data of dir, from which Start
// then starts. With "-R" among the arguments that is a standby of this server.
func (o *Own) BaseBackup(dir string, args ...string) {
	o.tb.Helper()
	host, port, err := net.SplitHostPort(o.Addr())
	if err != nil {
		o.tb.Fatal(err)
	}
	args = append([]string{"-h", host, "-p", port, "-U", "unhidra", "-D", filepath.Join(dir, "data"), "--checkpoint=fast",
		"--no-sync"}, args...)
	if err := o.Run("pg_basebackup", args...); err != nil {
		o.tb.Fatal(err)
	}
}

// Recover has the base backup in dir recover when Start starts it, with these settings of
// postgresql.conf.
func Recover(tb testing.TB, dir, settings string) {
	tb.Helper()
	data := filepath.Join(dir, "data")
	f, err := os.OpenFile(filepath.Join(data, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = f.WriteString(settings)
	err = errors.Join(err, f.Close(), os.WriteFile(filepath.Join(data, "recovery.signal"), nil, 0o644))
	if err != nil {
		tb.Fatal(err)
	}
}

// AwaitPrimary waits until it has recovered and takes writes.
func (o *Own) AwaitPrimary() {
	o.tb.Helper()
	end := time.Now().Add(time.Minute)
	for o.Ask("SELECT pg_is_in_recovery()") != "false" {
		if time.Now().After(end) {
			o.tb.Fatal("PostgreSQL has not recovered within a minute")
		}
		time.Sleep(10 * time.Millisecond)
	}
}
