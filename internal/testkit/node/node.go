// Package node runs the server as processes of their own, for tests that kill,
// stop and measure them.
package node

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Quiet are settings of a server that meets no limit by accident.
var Quiet = []string{
	"UNHIDRA_BIND_ADDR=127.0.0.1", "UNHIDRA_CAPTCHA=off", "UNHIDRA_LOG_LEVEL=warn", "UNHIDRA_MQTT_ADDR=off",
	"RATE_LIMIT_REGISTER_PER_HOUR=100000", "RATE_LIMIT_LOGIN_PER_MINUTE=100000", "RATE_LIMIT_LOGIN_BURST=100000",
	"UNHIDRA_ROOM_REQUESTS=nobody", "UNHIDRA_ROOMS_MADE_PER_USER=0", "RATE_LIMIT_IP_PER_MINUTE=1000000",
	"RATE_LIMIT_USER_PER_MINUTE=1000000", "RATE_LIMIT_MESSAGES_PER_SEC=1000000",
	"RATE_LIMIT_DEVICE_REGISTER_PER_HOUR=100000",
	"UNHIDRA_CONNECTIONS_PER_ADDR=100000", "UNHIDRA_CONNECTIONS_PER_USER=1000",
}

// A Process can be killed, stopped, and started again as it was.
type Process struct {
	tb   testing.TB
	args []string
	env  []string
	log  io.Writer

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

// Command returns a process that Start starts, and that ends with the test. Its
// errors go to log.
func Command(tb testing.TB, log io.Writer, env []string, args ...string) *Process {
	p := &Process{tb: tb, args: args, env: append(os.Environ(), env...), log: log}
	tb.Cleanup(p.Kill)
	return p
}

// Start starts it.
func (p *Process) Start() {
	p.tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, p.log, p.log
	if err := start(cmd); err != nil {
		p.tb.Errorf("start %s: %v", p.args[0], err)
		return
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	p.cmd, p.exited = cmd, exited
}

// Kill ends it as a crash does, and waits.
func (p *Process) Kill() { p.end(os.Kill) }

// Signal sends it a signal.
func (p *Process) Signal(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

// Stop asks it to end, waits, and after a while kills it. It reports whether it
// ended by itself.
func (p *Process) Stop(patience time.Duration) bool {
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.Exited():
		return true
	case <-time.After(patience):
		p.Kill()
		return false
	}
}

func (p *Process) end(s os.Signal) {
	p.Signal(s)
	<-p.Exited()
}

// Exited is closed once the process has ended.
func (p *Process) Exited() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exited == nil {
		p.exited = make(chan struct{})
		close(p.exited)
	}
	return p.exited
}

// PID returns the number of the process; 0: not started.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// A Node is a server.
type Node struct {
	*Process
	Public   string // host:port of people
	Operator string // and of the operator
}

// New returns a server on ports of its own, with Quiet and then env as its
// settings. It is not started.
func New(tb testing.TB, bin string, log io.Writer, env ...string) *Node {
	tb.Helper()
	public, operator := Port(tb), Port(tb)
	all := append([]string{}, Quiet...)
	all = append(all, "UNHIDRA_DATA_DIR="+tb.TempDir(), "GATEWAY_PORT="+strconv.Itoa(public),
		"UNHIDRA_OPERATOR_ADDR="+loopback(operator))
	return &Node{
		Process: Command(tb, log, append(all, env...), bin, "serve"),
		Public:  loopback(public), Operator: loopback(operator),
	}
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// URL returns where people reach it.
func (n *Node) URL() string { return "http://" + n.Public }

// Ready reports whether the server takes requests.
func (n *Node) Ready(ctx context.Context) bool {
	res, err := get(ctx, "http://"+n.Operator+"/ready", 5*time.Second)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// Metrics reads the server's own figures: the sum over all labels by name.
func (n *Node) Metrics(ctx context.Context) (map[string]float64, error) {
	res, err := get(ctx, "http://"+n.Operator+"/metrics", time.Minute)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics: %s", res.Status)
	}
	sums := make(map[string]float64)
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		line := lines.Text()
		space := strings.LastIndexByte(line, ' ')
		if space < 0 || line[0] == '#' {
			continue
		}
		name, _, _ := strings.Cut(line[:space], "{")
		if v, err := strconv.ParseFloat(line[space+1:], 64); err == nil {
			sums[name] += v
		}
	}
	return sums, nil
}

func get(ctx context.Context, url string, limit time.Duration) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	res, err := fresh.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	res.Body = &closer{res.Body, cancel}
	return res, nil
}

// fresh keeps no connection, so that it counts for nothing among a server's own.
var fresh = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

type closer struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c *closer) Close() error { defer c.cancel(); return c.ReadCloser.Close() }
