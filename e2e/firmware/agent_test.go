// Package firmware runs the firmware of devices, as a Linux program, against real servers.
package firmware

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

const patience = 2 * time.Minute // for what takes some seconds on a machine that has nothing else to do

var folder string // of the programs

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "firmware")
	if err != nil {
		panic(err)
	}
	folder = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var built = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("make", "-C", filepath.Join("..", "..", "firmware"), "agent", "offers", "BUILD="+folder,
		"AGENT=-fsanitize=address,undefined -fno-sanitize-recover=all").CombinedOutput()
})

// program builds the agent, with sanitizers, and returns where it is.
func program(t *testing.T) string {
	t.Helper()
	if out, err := built(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the firmware cannot be built, which CI must: %v\n%s", err, out)
		}
		t.Skipf("no firmware to test (gcc, make, libmbedtls-dev): %v\n%s", err, out)
	}
	return filepath.Join(folder, "unhidra-agent")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wait waits until something is so.
func wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	for late := time.Now().Add(patience); !so(); {
		if time.Now().After(late) {
			t.Fatalf("not in time: %s", what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// A device is one that is registered.
type device struct {
	owner   *client.Client
	id, key string
}

func registered(t *testing.T, owner *client.Client) device {
	t.Helper()
	var made struct {
		Device struct{ ID string }
		Key    string
	}
	must(t, owner.Do(t.Context(), "POST", "/devices", map[string]any{"name": "lamp"}, &made))
	return device{owner, made.Device.ID, made.Key}
}

func (d device) state(t *testing.T) string {
	t.Helper()
	var got struct{ Status struct{ State string } }
	must(t, d.owner.Do(t.Context(), "GET", "/devices/"+d.id, nil, &got))
	return got.Status.State
}

// values returns all that is stored of a sensor, in the order of its times.
func (d device) values(t *testing.T, s *live.Server, sensor string) (values []string) {
	t.Helper()
	now := time.Now().UTC()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/devices/"+d.id+
		"/readings/export?format=csv&series="+sensor+"&from="+now.Add(-time.Hour).Format(time.RFC3339)+
		"&to="+now.Add(time.Hour).Format(time.RFC3339), nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+d.owner.Tokens().Access)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer func() { must(t, res.Body.Close()) }()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if cells := strings.Split(lines.Text(), ","); len(cells) > 3 && cells[1] == sensor {
			values = append(values, cells[3])
		}
	}
	return values
}

// An agent is one that runs.
type agent struct {
	t     *testing.T
	cmd   *exec.Cmd
	board bool // it ends by itself to be started again

	mu    sync.Mutex
	lines []string
	done  chan error
}

// start starts an agent in dir. Options are those of the program.
func start(t *testing.T, server, key, dir string, options ...string) *agent {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(file, []byte(key+"\n"), 0o600))
	args := append([]string{"--server", server, "--key-file", file, "--dir", dir, "--spread", "0"}, options...)
	return watch(t, exec.CommandContext(t.Context(), program(t), args...))
}

// watch starts an agent.
func watch(t *testing.T, cmd *exec.Cmd) *agent { return listen(t, cmd, io.Discard) }

// listen starts an agent, and writes what it says to line, too.
func listen(t *testing.T, cmd *exec.Cmd, line io.Writer) *agent {
	t.Helper()
	a := &agent{t: t, cmd: cmd, done: make(chan error, 1)}
	out, err := a.cmd.StdoutPipe()
	must(t, err)
	a.cmd.Stderr = a.cmd.Stdout
	must(t, a.cmd.Start())
	go a.read(io.TeeReader(out, line))
	t.Cleanup(func() {
		a.stop()
		if t.Failed() {
			t.Logf("the agent said:\n%s", strings.Join(a.said(), "\n"))
		}
	})
	return a
}

func (a *agent) read(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		a.mu.Lock()
		a.lines = append(a.lines, lines.Text())
		a.mu.Unlock()
	}
	a.done <- a.cmd.Wait()
}

func (a *agent) said() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.lines...)
}

// count counts the lines that begin with something.
func (a *agent) count(begin string) (n int) {
	for _, line := range a.said() {
		if strings.HasPrefix(line, begin) {
			n++
		}
	}
	return n
}

// hears waits until the agent has said something.
func (a *agent) hears(begin string) {
	a.t.Helper()
	wait(a.t, fmt.Sprintf("the agent says %q", begin), func() bool { return a.count(begin) > 0 })
}

// stop ends the agent in order.
func (a *agent) stop() {
	if a.done == nil {
		return
	}
	_ = a.cmd.Process.Signal(os.Interrupt)
	if err := <-a.done; err != nil && a.t.Context().Err() == nil && !a.board {
		a.t.Errorf("the agent ended: %v", err)
	}
	a.done = nil
}
