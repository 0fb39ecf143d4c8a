package store_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/server"
	"github.com/unhidra/unhidra/internal/testkit"
)

// TestAFolderMayHaveAnyName: the database, and a copy of it, are in the folder that was
// named, whatever bytes its name has, and no two folders share one.
func TestAFolderMayHaveAnyName(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	names := []string{"plain", "plain#1", "plain#2", "plain?mode=memory", "plain?", "plain%", "plain%41", "plain%2",
		"plain%00", "file:plain", ":memory:", "a b&c=d;e"}
	var low, high []byte
	for b := 1; b < 128; b++ {
		if b != '/' {
			low = append(low, byte(b))
		}
		high = append(high, byte(b+127))
	}
	for _, name := range append(names, string(low), string(high), string([]byte{0xff, 0xc0, 0xaf})) {
		path := filepath.Join(parent, name, name+".db")
		if len(name) > 100 {
			path = filepath.Join(parent, name, "unhidra.db") // a file beside it has a longer name
		}
		db, err := all.Open(t.Context(), store.Options{Path: path})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		u, err := db.Use(t.Context())
		if info, missing := os.Stat(path); missing != nil || err != nil || info.Size() == 0 && u.Log <= 0 {
			t.Errorf("%q: the database is elsewhere: %v, %v", name, missing, err)
		}
		if err := db.Backup(t.Context(), path+"~"); err != nil {
			t.Errorf("%q: copy: %v", name, err)
		} else if err := all.Verify(t.Context(), path+"~"); err != nil {
			t.Errorf("%q: copy: %v", name, err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	folders, err := os.ReadDir(parent)
	if err != nil || len(folders) != len(names)+3 {
		t.Errorf("%d folders for %d names: %v", len(folders), len(names)+3, err)
	}
}

// TestDatabaseFilesAreForTheirOwnerAlone: what SQLite makes has no mode for others, and
// what others could read, they can no longer, which the log says.
func TestDatabaseFilesAreForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	o := store.Options{Path: filepath.Join(t.TempDir(), "data", "unhidra.db"), Log: testkit.Logger(t)}
	check := func() {
		t.Helper()
		for name, want := range map[string]os.FileMode{
			"": 0o600, "-wal": 0o600, "-shm": 0o600, ".lock": 0o600, "/..": os.ModeDir | 0o700,
		} {
			info, err := os.Stat(filepath.Clean(o.Path + name))
			if err != nil || info.Mode() != want {
				t.Errorf("unhidra.db%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
	db, err := all.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	check()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(o.Path, 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	testkit.Open(t, o)
	check()
	if strings.Count(log.String(), "could read") != 1 || !strings.Contains(log.String(), o.Path) {
		t.Errorf("the log says: %s", &log)
	}
}

// openEngine opens a database without the background work of repositories, which opens
// connections of its own.
func openEngine(t *testing.T) (*store.DB, *server.Repository, string) {
	t.Helper()
	o := testkit.SQLite(t)
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db, server.New(db), o.Path
}

// TestNothingIsAcknowledgedIntoALostFile: once a file of the database is removed or
// replaced under a server, it accepts nothing and says that it is not well, until the
// file is back.
func TestNothingIsAcknowledgedIntoALostFile(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"", "-wal"} {
		t.Run("unhidra.db"+part, func(t *testing.T) {
			t.Parallel()
			db, settings, file := openEngine(t)
			n := 0
			write := func() error {
				n++
				return settings.SetSetting(t.Context(), domain.Setting{Name: "s" + strconv.Itoa(n)})
			}
			if err := write(); err != nil {
				t.Fatal(err)
			}
			path := file + part
			if err := os.Rename(path, path+"~"); err != nil {
				t.Fatal(err)
			}
			for _, what := range []string{"removed", "replaced"} {
				if what == "replaced" {
					if err := os.WriteFile(path, nil, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if err := write(); domain.CodeOf(err) != domain.CodeStoreLost ||
					domain.KindOf(err) != domain.Unavailable {
					t.Errorf("%s: %v", what, err)
				}
				if err := db.Ping(t.Context()); domain.CodeOf(err) != domain.CodeStoreLost {
					t.Errorf("%s: ping: %v", what, err)
				}
			}
			if err := os.Rename(path+"~", path); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(write(), db.Ping(t.Context())); err != nil {
				t.Errorf("back: %v", err)
			}
		})
	}
}

// TestAnotherFileIsNotOpened: while another file is at the database's path, no reader opens it.
// SQLite would replace the WAL, in which is what was acknowledged last.
func TestAnotherFileIsNotOpened(t *testing.T) {
	t.Parallel()
	_, settings, file := openEngine(t)
	if err := settings.SetSetting(t.Context(), domain.Setting{Name: "s"}); err != nil {
		t.Fatal(err)
	}
	wal, err := os.Stat(file + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.Rename(file, file+"~"), os.WriteFile(file, nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	for range 32 { // more than there are connections
		readers.Go(func() {
			_, err := settings.Settings(t.Context())
			if err != nil && domain.CodeOf(err) != domain.CodeStoreLost {
				t.Error(err)
			}
		})
	}
	readers.Wait()
	if now, err := os.Stat(file + "-wal"); err != nil || !os.SameFile(now, wal) {
		t.Errorf("the WAL was replaced: %v", err)
	}
}
