package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A target is what is measured: one server, or several that are one system.
type target struct {
	name     string
	addrs    []string // clients take turns
	tls      bool
	protocol protocol
	servers  []*process
	beside   map[string]func() time.Duration // processor time of what they need, by name
}

// A protocol is how one kind of server is talked to. Client i is in room i modulo
// the number of rooms.
type protocol interface {
	path() string
	header(client int) string // lines of the handshake
	opening(client int) [][]byte
	joined() string // what is in the first frame after which a client hears its room
	publish(n, client int, text string) []byte
	answer(text []byte) []byte // to what must be answered at once
}

func (t *target) stop() {
	for _, p := range t.servers {
		p.stop()
	}
}

func (t *target) cpu() (all time.Duration) {
	for _, p := range t.servers {
		all += p.cpu()
	}
	return all
}

func (t *target) resident() (all int) {
	for _, p := range t.servers {
		all += p.resident()
	}
	return all
}

// A process is a server that this program started.
type process struct {
	cmd *exec.Cmd
	log bytes.Buffer
}

func run(environ []string, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...)}
	p.cmd.Env = append(os.Environ(), environ...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // no server outlives a measurement
	return p, p.cmd.Start()
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed
}

// end lets the process end by itself, so that its store is whole.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait() // it was told to
}

// cpu is the processor time that the process has used.
func (p *process) cpu() time.Duration { return cpuOf(p.cmd.Process.Pid) }

func cpuOf(pid int) time.Duration {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, b, _ = bytes.Cut(b, []byte(") "))
	f := bytes.Fields(b)
	if len(f) < 15 {
		return 0
	}
	var ticks int
	for _, field := range f[11:15] { // user, system, and those of children that have ended
		n, _ := strconv.Atoi(string(field))
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100)
}

func (p *process) resident() int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	var size, rss int
	_, _ = fmt.Sscan(string(b), &size, &rss)
	return rss * os.Getpagesize()
}

// family is the processor time of a PostgreSQL: of the process whose child pid is,
// and of all its children.
func family(pid int) time.Duration {
	parent := parentOf(pid)
	all := cpuOf(parent)
	procs, _ := os.ReadDir("/proc")
	for _, d := range procs {
		if n, err := strconv.Atoi(d.Name()); err == nil && parentOf(n) == parent {
			all += cpuOf(n)
		}
	}
	return all
}

func parentOf(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, b, _ = bytes.Cut(b, []byte(") "))
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(string(f[1]))
	return n
}

// freeAddr is an address that nothing listened on a moment ago.
func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await waits until every address of t takes connections.
func (t *target) await() error {
	deadline := time.Now().Add(30 * time.Second)
	for _, addr := range t.addrs {
		for {
			nc, err := net.DialTimeout("tcp", addr, time.Second)
			if err == nil {
				nc.Close()
				break
			}
			if time.Now().After(deadline) {
				t.stop()
				return fmt.Errorf("%s does not start: %w\n%s", t.name, err, tail(t.servers))
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return nil
}

func tail(ps []*process) string {
	var all []string
	for _, p := range ps {
		s := p.log.String()
		all = append(all, s[max(0, len(s)-2000):])
	}
	return strings.Join(all, "\n")
}

// self is this program as another process, in a part that it plays.
func self(part string, args ...string) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return run(nil, exe, append([]string{"-part", part}, args...)...)
}

func complain(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func fail(err error) {
	complain("peers: %v", err)
	os.Exit(1)
}

// parts are what this program can be as another process.
func runRole(ctx context.Context, part string, args []string) error {
	switch {
	case part == "bare" && len(args) == 3:
		rooms, err := strconv.Atoi(args[1])
		return errors.Join(err, runBare(args[0], rooms, args[2]))
	case part == "nats" && len(args) == 1:
		return runNATS(ctx, args[0], os.Stdout)
	}
	return fmt.Errorf("no such part: %s %q", part, args)
}
