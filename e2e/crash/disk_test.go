//go:build linux

package crash

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/disktest"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// TestDisk: a disk that is full, a file that may not grow, a sync that fails.
// Meanwhile messages are refused with unavailable; afterwards they are taken
// again, without a hand; and all that were acknowledged, before and after, are
// there once the server has been killed on top of it.
func TestDisk(t *testing.T) {
	bin := node.Build(t)
	t.Run("sqlite", func(t *testing.T) {
		t.Run("full", func(t *testing.T) {
			dir := disktest.Mount(t, 24)
			endure(t, newServer(t, bin, "UNHIDRA_DATA_DIR="+dir, "UNHIDRA_DISK_RESERVE=0"), true,
				func() func() { return disktest.Fill(t, dir) })
		})
		t.Run("limit", func(t *testing.T) {
			s := newServer(t, bin)
			endure(t, s, true, func() func() { return limit(t, s.PID()) })
		})
		t.Run("sync", func(t *testing.T) {
			s := newServer(t, bin)
			endure(t, s, true, func() func() { return failSync(t, s.PID()) })
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Run("full", func(t *testing.T) {
			dir := disktest.Mount(t, 200)
			pg := pgtest.Start(t, node.Port(t), dir)
			endure(t, newServer(t, bin, "DATABASE_URL="+pg.URL()), false, func() func() { return disktest.Fill(t, dir) })
		})
		t.Run("sync", func(t *testing.T) {
			pg := pgtest.Start(t, node.Port(t), "")
			endure(t, newServer(t, bin, "DATABASE_URL="+pg.URL()), false,
				func() func() { return failSync(t, family(t, pg.PID())...) })
		})
	})
}

// endure is the story of one trouble. PostgreSQL ends and recovers by itself when
// it cannot write its log, so that with it reads fail for a moment as well.
func endure(t *testing.T, s *node.Node, reads bool, begin func() (end func())) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	people, room := traffic.Settle(ctx, t, users, s.URL())
	c := people[0]
	book := make(map[string]int64)
	n := 0
	say := func() error {
		n++
		key := fmt.Sprint("k", n)
		sent, err := c.Send(ctx, client.Draft{Room: room, Key: key, Text: fmt.Sprintf("%d %010000d", n, n)})
		if err == nil {
			book[key] = sent.Seq
		}
		return err
	}
	for range 20 {
		if err := say(); err != nil {
			t.Fatal(err)
		}
	}
	end := begin()
	refused := 0
	traffic.Wait(ctx, t, "messages are refused", func() bool {
		var e *client.Error
		if err := say(); errors.As(err, &e) && e.Kind == "unavailable" {
			refused++
		} else if err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		return refused >= 5
	})
	if r, err := c.Events(ctx, room, 0, 10); reads && (err != nil || len(r.Events) == 0) {
		t.Errorf("reading meanwhile: %d events, %v", len(r.Events), err)
	}
	end()
	traffic.Wait(ctx, t, "messages are taken again", func() bool { return say() == nil })
	s.Kill()
	s.Start()
	traffic.Wait(ctx, t, "the server is there again", func() bool { return s.Ready(ctx) })
	for key, seq := range book {
		if m, err := c.Message(ctx, room, seq); err != nil || m.Key != key {
			t.Errorf("%s was acknowledged as %d: %q, %v", key, seq, m.Key, err)
		}
	}
	t.Logf("%d acknowledged, %d refused", len(book), refused)
}

// limit lets no file of a process grow (RLIMIT_FSIZE).
func limit(t *testing.T, pid int) (end func()) {
	t.Helper()
	set := func(size string) {
		if out, err := exec.Command("prlimit", "--pid", strconv.Itoa(pid), "--fsize="+size+":").CombinedOutput(); err != nil {
			t.Fatalf("prlimit: %v: %s", err, out)
		}
	}
	set("65536")
	return func() { set("unlimited") }
}

// failSync makes every sync of some processes, and of those that they start, fail
// with EIO, until the end.
func failSync(t *testing.T, pids ...int) (end func()) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		without(t, "strace is not installed, by which a sync is made to fail")
	}
	args := []string{"-f", "-q", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO", "-o",
		"/dev/null"}
	for _, pid := range pids {
		args = append(args, "-p", strconv.Itoa(pid))
	}
	cmd := exec.Command("strace", args...)
	messages, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	refused := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(messages); lines.Scan(); {
			if strings.Contains(lines.Text(), "not permitted") {
				refused <- lines.Text()
				return
			}
		}
	}()
	end = func() {
		_ = cmd.Process.Signal(os.Interrupt) // lets go of them
		_ = cmd.Wait()
	}
	t.Cleanup(end)
	for tracer := 0; tracer == 0; tracer = tracedBy(pids[0]) {
		select {
		case why := <-refused:
			t.Skipf("may not trace other processes here: %s", why)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return end
}

// without skips a test for want of something that CI must have.
func without(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func tracedBy(pid int) int { return status(pid, "TracerPid:") }

// status reads a number about a process.
func status(pid int, field string) (n int) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // gone: 0
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			n, _ = strconv.Atoi(strings.TrimSpace(rest))
		}
	}
	return n
}

// family are a process and its children.
func family(t *testing.T, pid int) []int {
	t.Helper()
	all := []int{pid}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if child, err := strconv.Atoi(e.Name()); err == nil && status(child, "PPid:") == pid {
			all = append(all, child)
		}
	}
	return all
}
