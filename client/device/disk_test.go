package device

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

// What follows a report that could not be stored is on disk, and has a number of its own.
func TestAReportAfterOneThatFailedIsKept(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]string{
		"half a line is left":  `{"seq":1,"at":"20`,
		"a whole line is left": `{"seq":1,"at":"2026-01-01T00:00:00Z","readings":{"n":1}}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "a")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "reports.jsonl")
			b, err := openBuffer(path, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.add(wire.ReportItem{At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			broken := disk{t, b, dir}
			broken.fails(left)
			if err := b.add(wire.ReportItem{At: time.Now()}); err == nil {
				t.Fatal("a report is taken that is not on disk")
			}
			broken.heals()
			if err := b.add(wire.ReportItem{At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			if err := b.close(); err != nil {
				t.Fatal(err)
			}
			if b, err = openBuffer(path, 1<<20); err != nil {
				t.Fatal(err)
			}
			_, items := b.head(10, maxReport)
			numbers := make([]uint32, len(items))
			for i, item := range items {
				numbers[i] = *item.Seq
			}
			if !slices.Equal(numbers, []uint32{0, 1}) {
				t.Errorf("kept are the reports %v", numbers)
			}
			if err := b.close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// disk is where a buffer is kept. It can fail.
type disk struct {
	t   *testing.T
	b   *buffer
	dir string
}

// fails has the next write fail after it has left something in the file, and no file can be made.
func (d disk) fails(left string) {
	d.t.Helper()
	if _, err := d.b.file.WriteString(left); err != nil {
		d.t.Fatal(err)
	}
	d.swap(os.O_RDONLY)
	if err := os.Rename(d.dir, d.dir+".away"); err != nil {
		d.t.Fatal(err)
	}
}

func (d disk) heals() {
	d.t.Helper()
	if err := os.Rename(d.dir+".away", d.dir); err != nil {
		d.t.Fatal(err)
	}
	d.swap(os.O_WRONLY | os.O_APPEND)
}

// swap opens the file anew.
func (d disk) swap(flag int) {
	d.t.Helper()
	file, err := os.OpenFile(d.b.path, flag, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.b.file.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.b.file = file
}

// A report that no frame has room for would stand in the way of all others.
func TestAReportThatFitsInNoFrameIsRefused(t *testing.T) {
	t.Parallel()
	d, err := Open(Options{Server: "http://localhost:1", Key: "dk_x", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Report(map[string]any{"text": strings.Repeat("x", maxReport)}); err == nil || d.Waiting() != 0 {
		t.Errorf("%v, and %d wait", err, d.Waiting())
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
