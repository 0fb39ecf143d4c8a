package app

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/config"
)

// TestReserve: room is kept while there is plenty, given up once and with a word when the
// disk is full, and kept again later.
func TestReserve(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	free, known := int64(100<<20), true
	r := newReserve(config.Config{DataDir: t.TempDir(), DiskReserve: 4}, slog.New(slog.NewTextHandler(&log, nil)))
	r.free = func() (int64, bool) { return free, known }
	there := func(want bool) {
		t.Helper()
		if info, err := os.Stat(r.path); (err == nil) != want || want && info.Size() != 4<<20 {
			t.Errorf("the file is there: %v", err == nil)
		}
	}
	keep := func() {
		t.Helper()
		if !r.giveUp() {
			return
		}
		if err := r.keep(); err != nil {
			t.Error(err)
		}
	}
	keep()
	there(true)
	known = false
	keep()
	there(true) // where nobody can tell, nothing is given up
	free, known = 1<<20, true
	keep()
	there(false)
	keep()
	if n := strings.Count(log.String(), "the disk is full"); n != 1 {
		t.Errorf("it was said %d times", n)
	}
	if r.writable(context.Background()) != nil || r.ample(context.Background()) == nil {
		t.Error("there is little room, but some")
	}
	free = 0
	if r.writable(context.Background()) == nil {
		t.Error("there is no room")
	}
	free = 7 << 20
	keep()
	there(false) // it would fill the disk again
	free = 100 << 20
	keep()
	there(true)
	if filepath.Base(r.path) != "unhidra.db.reserve" {
		t.Errorf("%s", r.path)
	}
	if newReserve(config.Config{DiskReserve: 4, DatabaseURL: "postgres://x"}, slog.Default()) != nil {
		t.Error("room is kept for PostgreSQL")
	}
}
