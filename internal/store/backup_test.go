package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A copy that is made while others write is whole, and is of one moment.
func TestBackupWhileWriting(t *testing.T) {
	db := testkit.Open(t, testkit.SQLite(t))
	room := testkit.Room(t, db, 2)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				testkit.Say(t, db, testkit.UserID(1), room, "k"+strconv.Itoa(i), "hello")
			}
		}
	})
	path := filepath.Join(t.TempDir(), "copy.db")
	err := db.Backup(t.Context(), path)
	close(stop)
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := all.Verify(t.Context(), path); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := db.Backup(t.Context(), path); err == nil {
		t.Error("a file was overwritten")
	}
	testkit.Say(t, db, testkit.UserID(1), room, "last", "readers work on after a backup")
}

func TestCheckFindsDamage(t *testing.T) {
	db := testkit.Open(t, testkit.SQLite(t))
	room := testkit.Room(t, db, 2)
	for i := range 50 {
		testkit.Say(t, db, testkit.UserID(1), room, "k"+strconv.Itoa(i), strings.Repeat("hello ", 500))
	}
	if err := db.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := db.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4096 {
		b[len(b)/2/4096*4096+i] = 0xff
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := all.Verify(t.Context(), path); err == nil {
		t.Error("damage is not seen")
	}
	err = db.Write(t.Context(), func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, "DELETE FROM events WHERE seq = 7")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Check(t.Context()); err == nil || !strings.Contains(err.Error(), room) {
		t.Errorf("a gap is not seen: %v", err)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	unlock, err := store.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), store.Options{Path: path}); err == nil ||
		!strings.Contains(err.Error(), "another Unhidra server") {
		t.Errorf("opened beside the lock: %v", err)
	}
	unlock()
	db, err := store.Open(t.Context(), store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
