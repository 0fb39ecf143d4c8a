package store_test

import (
	"fmt"
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
	pg := pgtest.Start(t, node.Port(t), "")
	archive := pg.Archive()
	db := testkit.Open(t, store.Options{URL: pg.URL()})
	room := testkit.Room(t, db, 2)
	testkit.Say(t, db, testkit.UserID(1), room, "a", "in the base backup")
	base := pgtest.Folder(t)
	pg.BaseBackup(base)
	kept := testkit.Say(t, db, testkit.UserID(1), room, "b", "after it, and before the moment")
	want, err := db.Contents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	moment := pg.Ask("SELECT clock_timestamp()::text")
	testkit.Say(t, db, testkit.UserID(1), room, "c", "after the moment")
	segment := pg.Ask("SELECT pg_walfile_name(pg_switch_wal())")
	await(t, "the archive to have "+segment, func() bool {
		_, err := os.Stat(filepath.Join(archive, segment))
		return err == nil
	})
	pgtest.Recover(t, base, fmt.Sprintf("restore_command = 'cp %s/%%f %%p'\nrecovery_target_time = '%s'\n"+
		"recovery_target_action = promote\n", archive, moment))
	back := pgtest.Start(t, node.Port(t), base)
	back.AwaitPrimary()
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

// await waits until done says so, half a minute at most.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
