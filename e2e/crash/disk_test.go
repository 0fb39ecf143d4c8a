package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
)

// small returns the folder of a small file system that goes with the test.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small file system here (needs root): %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return dir
}

// With a reserve, a disk that is nearly full is told of before anything fails:
// messages are refused, and reading, deleting and signing in go on.
func TestDiskReserve(t *testing.T) {
	dir := small(t)
	s := newServer(t, build(t), "UNHIDRA_DATA_DIR="+dir, "UNHIDRA_DISK_RESERVE=4")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	people, room := settle(ctx, t, s)
	c := people[0]
	sent, err := c.Send(ctx, client.Draft{Room: room, Key: "before", Text: "before"})
	if err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	if err := os.Truncate(ballast, 0); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(ballast, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var disk syscall.Statfs_t
	for block := make([]byte, 64<<10); disk.Bavail == 0 || int64(disk.Bavail)*disk.Bsize > 3<<20; {
		if _, err := f.Write(block); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Statfs(dir, &disk); err != nil {
			t.Fatal(err)
		}
	}
	var e *client.Error
	if _, err := c.Send(ctx, client.Draft{Room: room, Key: "full", Text: "full"}); !errors.As(err, &e) || e.Code != "disk_full" || e.Status != 503 || e.RetryAfter == 0 {
		t.Errorf("writing with a nearly full disk: %v", err)
	}
	if _, err := c.Events(ctx, room, 0, 10); err != nil {
		t.Errorf("reading with a nearly full disk: %v", err)
	}
	if err := c.Do(ctx, "DELETE", fmt.Sprintf("/rooms/%s/messages/%d", room, sent.Seq), nil, nil); err != nil {
		t.Errorf("deleting with a nearly full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	wait(ctx, t, "messages are taken again", func() bool {
		_, err := c.Send(ctx, client.Draft{Room: room, Key: "full", Text: "full"})
		return err == nil
	})
}

// A full disk refuses messages with unavailable, keeps on reading, and is over
// as soon as there is room again.
func TestFullDisk(t *testing.T) {
	dir := small(t)
	s := newServer(t, build(t), "UNHIDRA_DATA_DIR="+dir, "UNHIDRA_DISK_RESERVE=0")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	people, room := settle(ctx, t, s)
	c := people[0]
	book := make(map[string]int64)
	say := func(i int) error {
		key := fmt.Sprint("k", i)
		sent, err := c.Send(ctx, client.Draft{Room: room, Key: key, Text: fmt.Sprintf("%d %01000d", i, i)})
		if err == nil {
			book[key] = sent.Seq
		}
		return err
	}
	for i := range 20 {
		if err := say(i); err != nil {
			t.Fatal(err)
		}
	}
	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)

	refused := 0
	for i := 20; refused < 5 && i < 20000; i++ {
		var e *client.Error
		if err := say(i); errors.As(err, &e) && e.Kind == "unavailable" {
			refused++
		} else if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if refused == 0 {
		t.Fatal("the disk is full and every message was taken")
	}
	if r, err := c.Events(ctx, room, 0, 10); err != nil || len(r.Events) == 0 {
		t.Fatalf("reading while the disk is full: %d events, %v", len(r.Events), err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	wait(ctx, t, "messages are taken again", func() bool { return say(30000) == nil })
	for key, seq := range book {
		if m, err := c.Message(ctx, room, seq); err != nil || m.Key != key {
			t.Errorf("%s was acknowledged as %d: %q, %v", key, seq, m.Key, err)
		}
	}
	t.Logf("%d acknowledged, %d refused", len(book), refused)
}

// fill writes until the file system has no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 64<<10)
	for {
		if _, err := f.Write(block); err != nil {
			break
		}
	}
	for block = block[:512]; ; {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}
