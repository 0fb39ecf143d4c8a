package disk

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// TestReserve: the file is there while there is plenty of room, released once and with a
// line in the log when the disk is full, and made again later.
func TestReserve(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var free uint64
	var unknown error
	r := NewReserve(filepath.Join(t.TempDir(), "unhidra.db"), 4<<20, slog.New(slog.NewTextHandler(&log, nil)))
	r.use = func(string) (domain.DiskUse, error) { return domain.DiskUse{Free: free}, unknown }
	round := func(bytes uint64, err error, want bool) {
		t.Helper()
		free, unknown = bytes, err
		if r.Release() {
			if err := r.restore(); err != nil {
				t.Error(err)
			}
		}
		if info, err := os.Stat(r.path); (err == nil) != want || want && info.Size() != 4<<20 {
			t.Errorf("the file is there: %v", err == nil)
		}
	}
	round(100<<20, nil, true)
	round(0, errors.New("unknown"), true) // where nobody can tell, nothing is released
	round(1<<20, nil, false)
	round(1<<20, nil, false)
	if n := strings.Count(log.String(), "the disk is full"); n != 1 {
		t.Errorf("it was said %d times", n)
	}
	if r.CheckWritable(t.Context()) != nil || r.CheckFree(t.Context()) == nil ||
		domain.CodeOf(r.Full()) != domain.CodeDiskFull {
		t.Error("there is little room, but some")
	}
	round(0, nil, false)
	if r.CheckWritable(t.Context()) == nil {
		t.Error("there is no room")
	}
	round(7<<20, nil, false) // it would fill the disk again
	if r.Full() != nil {
		t.Error("there is room for messages")
	}
	round(100<<20, nil, true)
	if filepath.Base(r.path) != "unhidra.db.reserve" {
		t.Errorf("%s", r.path)
	}
	if (*Reserve)(nil).Full() != nil {
		t.Error("a database elsewhere is refused for this disk")
	}
}
