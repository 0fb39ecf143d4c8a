package firmware

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/unhidra/unhidra/internal/provision"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A cabled device is one whose standard input and output are its serial line.
type cabled struct {
	*agent
	io.Writer
	line *line
}

func (c *cabled) Read(b []byte) (int, error) { return c.line.Read(b) }
func (c *cabled) Close() error               { return c.line.Close() }

// A line has what a device has said and nobody has read.
type line struct {
	mu     sync.Mutex
	some   sync.Cond
	b      bytes.Buffer
	closed bool
}

func (l *line) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.some.Broadcast()
	return l.b.Write(b)
}

func (l *line) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.b.Len() == 0 {
		if l.closed {
			return 0, io.EOF
		}
		l.some.Wait()
	}
	return l.b.Read(b)
}

func (l *line) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.some.Broadcast()
	return nil
}

// cable starts an agent in dir that waits on its console unless it is set up. There is one network: Home.
func cable(t *testing.T, dir string, options ...string) *cabled {
	t.Helper()
	args := append([]string{"--console", "Home", "--dir", dir, "--spread", "0", "--base", "5", "--cap", "50"}, options...)
	cmd := exec.CommandContext(t.Context(), program(t), args...)
	in, err := cmd.StdinPipe()
	must(t, err)
	l := &line{}
	l.some.L = &l.mu
	a := listen(t, cmd, l)
	a.board = true // it ends by itself when it was reset
	return &cabled{a, in, l}
}

// setUp tells a device on a cable its setup, and gives up in time.
func (c *cabled) setUp(to provision.Target) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	return provision.Console(ctx, c, to)
}

// ended waits until the agent ends by itself.
func (c *cabled) ended(code int) {
	c.t.Helper()
	<-c.done
	if c.done = nil; c.cmd.ProcessState.ExitCode() != code {
		c.t.Fatalf("it ended with %d: %q", c.cmd.ProcessState.ExitCode(), c.said())
	}
}

// A fresh device without a key is set up by its cable: of a network that is not there it says so, then it joins, gets
// its key, and is online; started again it needs nobody. Its button has it forget all, and the server ends its
// key; with another token it is the same device again.
func TestADeviceIsSetUpByItsCable(t *testing.T) {
	t.Parallel()
	program(t)
	h, dir := newHouse(t), filepath.Join(t.TempDir(), "memory")
	to := provision.Target{SSID: "Attic", Password: "p",
		Claim: &provision.Claim{Server: at(h.Server), Token: h.token(t), CA: h.pem}}
	c := cable(t, dir)
	c.hears("waits to be set up")
	if err := c.setUp(to); err == nil || !strings.Contains(err.Error(), "not there") {
		t.Fatalf("a network that is not there: %v", err)
	}
	to.SSID = "Home"
	must(t, c.setUp(to))
	c.hears("claim: ok")
	c.hears("online")
	wait(t, "the device is online", func() bool { return h.device.state(t) == "online" })
	c.stop()
	again := cable(t, dir)
	again.hears("online")
	if again.count("waits") > 0 {
		t.Errorf("it forgot that it was set up: %q", again.said())
	}
	must(t, again.cmd.Process.Signal(syscall.SIGUSR1))
	again.ended(restarts)
	if again.count("reset: ok") != 1 || again.count("offline")+again.count("shut out") != 1 {
		t.Errorf("it said %q", again.said())
	}
	for _, name := range []string{"key", "token", "password", "ssid", "server", "nonce"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("it still has its %s", name)
		}
	}
	if keys := h.keys(t); slices.ContainsFunc(keys, func(k key) bool { return k.Live }) {
		t.Errorf("the keys are %+v, and must have ended", keys)
	}
	fresh := cable(t, dir)
	fresh.hears("waits to be set up")
	to.Claim.Token = h.token(t)
	must(t, fresh.setUp(to))
	fresh.hears("online")
	fresh.stop()
}

// By Improv a device is told the network alone, and waits for the rest; a token that is refused is forgotten with all
// that came with it, and so is a server that is not reached within the time of the fail-safe timer. Each time it can be
// set up again.
func TestASetupThatFailsIsForgotten(t *testing.T) {
	t.Parallel()
	program(t)
	h := newHouse(t)
	c := cable(t, t.TempDir(), "--failsafe", "200")
	c.hears("waits to be set up")
	_, err := provision.Improv(t.Context(), c, "Attic", "p")
	if err == nil || !strings.Contains(err.Error(), "cannot join") {
		t.Errorf("a network that is not there: %v", err)
	}
	_, err = provision.Improv(t.Context(), c, "Home", "p")
	must(t, err)
	waits := func(n int) {
		t.Helper()
		wait(t, "it waits again", func() bool { return c.count("waits to be set up") == n })
	}
	for i, claim := range []provision.Claim{{Server: at(h.Server), Token: "dc_wrong", CA: h.pem},
		{Server: "ws://127.0.0.1:1", Token: h.token(t)}} {
		must(t, c.setUp(provision.Target{SSID: "Home", Claim: &claim}))
		waits(i + 2)
	}
	must(t, c.setUp(provision.Target{SSID: "Home",
		Claim: &provision.Claim{Server: at(h.Server), Token: h.token(t), CA: h.pem}}))
	c.hears("online")
	c.stop()
}

// The owner takes a device back by a command: it answers, forgets all, and its key ends.
func TestAnOwnerTakesADeviceBack(t *testing.T) {
	t.Parallel()
	program(t)
	s := live.Start(t, testkit.SQLite(t))
	d := registered(t, s.User("ann"))
	h := &house{Server: s, ann: d.owner, device: d, claiming: "/devices/" + d.id + "/claim"}
	c := cable(t, t.TempDir())
	c.hears("waits to be set up")
	must(t, c.setUp(provision.Target{SSID: "Home",
		Claim: &provision.Claim{Server: at(s), Token: h.token(t)}}))
	c.hears("online")
	var given struct{ ID string }
	wait(t, "it has described itself", func() bool {
		return d.owner.Do(t.Context(), "POST", "/devices/"+d.id+"/commands",
			map[string]any{"key": "k", "action": "factory_reset", "confirm": true}, &given) == nil
	})
	c.ended(restarts)
	var page struct{ Items []json.RawMessage }
	must(t, d.owner.Do(t.Context(), "GET", "/devices/"+d.id+"/commands", nil, &page))
	if len(page.Items) != 1 || !strings.Contains(string(page.Items[0]), `"done"`) {
		t.Errorf("the command is %s", page.Items)
	}
	if keys := h.keys(t); slices.ContainsFunc(keys, func(k key) bool { return k.Live }) {
		t.Errorf("the keys are %+v, and must have ended", keys)
	}
}

type key struct{ Live bool }

func (h *house) keys(t *testing.T) []key {
	t.Helper()
	var shown struct{ Keys []key }
	must(t, h.ann.Do(t.Context(), "GET", "/devices/"+h.device.id, nil, &shown))
	return shown.Keys
}
