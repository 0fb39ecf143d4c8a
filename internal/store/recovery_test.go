package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

// What docs/operations.md says about PostgreSQL: a base backup and the archive of its log lead
// back to any moment since.
func TestPostgreSQLComesBackToAPointInTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	archive, first, second := filepath.Join(dir, "wal"), filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, d := range []string{dir, filepath.Dir(dir), archive, first, second} {
		if err := errors.Join(os.MkdirAll(d, 0o755), os.Chmod(d, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(archive, 0o777), os.Chmod(second, 0o777)); err != nil { // PostgreSQL is another user
		t.Fatal(err)
	}
	pg := pgtest.Start(t, node.Port(t), first)
	admin, err := sql.Open("pgx", pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	admin.SetMaxIdleConns(0) // none outlives the crash below
	command := fmt.Sprintf("test ! -f %[1]s/%%f && cp %%p %[1]s/%%f", archive)
	for _, set := range []string{"archive_mode = on", "archive_command = '" + command + "'"} {
		if _, err := admin.ExecContext(t.Context(), "ALTER SYSTEM SET "+set); err != nil {
			t.Fatal(err)
		}
	}
	pg.Crash()
	pg.Restart()
	db := testkit.Open(t, store.Options{URL: pg.URL()})
	room := testkit.Room(t, db, 2)
	testkit.Say(t, db, testkit.UserID(1), room, "a", "in the base backup")
	host, port, err := net.SplitHostPort(pg.Addr())
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(second, "data")
	err = pg.Run("pg_basebackup", "-h", host, "-p", port, "-U", "unhidra", "-D", data, "--checkpoint=fast", "--no-sync")
	if err != nil {
		t.Fatal(err)
	}
	kept := testkit.Say(t, db, testkit.UserID(1), room, "b", "after it, and before the moment")
	want, err := db.Contents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var moment, segment string
	if err := admin.QueryRowContext(t.Context(), "SELECT clock_timestamp()::text").Scan(&moment); err != nil {
		t.Fatal(err)
	}
	testkit.Say(t, db, testkit.UserID(1), room, "c", "after the moment")
	if err := admin.QueryRowContext(t.Context(), "SELECT pg_walfile_name(pg_switch_wal())").Scan(&segment); err != nil {
		t.Fatal(err)
	}
	await(t, "the archive to have "+segment, func() bool {
		_, err := os.Stat(filepath.Join(archive, segment))
		return err == nil
	})
	recover := fmt.Sprintf("restore_command = 'cp %s/%%f %%p'\nrecovery_target_time = '%s'\n", archive, moment) +
		"recovery_target_action = promote\n"
	setRecovery(t, data, recover)
	back := pgtest.Start(t, node.Port(t), second)
	awaitPrimary(t, back.URL())
	restored := testkit.Open(t, store.Options{URL: back.URL()})
	if err := restored.Check(t.Context()); err != nil {
		t.Error(err)
	}
	has, err := restored.Contents(t.Context())
	if err != nil || has.Heads[room] != kept.Seq || has.Events != want.Events || has.Users != want.Users {
		t.Errorf("it has %+v, and had %+v; %v", has, want, err)
	}
	if next := testkit.Say(t, restored, testkit.UserID(1), room, "d", "and on"); next.Seq != kept.Seq+1 {
		t.Errorf("the log goes on with %d after %d", next.Seq, kept.Seq)
	}
}

// setRecovery has the PostgreSQL of a base backup recover.
func setRecovery(t *testing.T, data, settings string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(data, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(settings)
	err = errors.Join(err, f.Close(), os.WriteFile(filepath.Join(data, "recovery.signal"), nil, 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

// awaitPrimary waits until a database has recovered and takes writes.
func awaitPrimary(t *testing.T, url string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	await(t, "the end of the recovery", func() bool {
		recovering := true
		err := db.QueryRowContext(t.Context(), "SELECT pg_is_in_recovery()").Scan(&recovering)
		return err == nil && !recovering
	})
}

// await waits until done says so, half a minute at most.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
