//go:build linux

// Package drills breaks servers in the ways that docs/drills.md describes, does what that page says
// an operator does, and checks that nothing acknowledged is lost. Each step is timed: `make drills`
// prints how long it took.
package drills

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit/natstest"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

const (
	patience  = 5 * time.Minute
	serverKey = "the same key for every server of a drill"
)

// usual is how much people write during a drill.
var usual = traffic.Options{Senders: 8, Pause: 20 * time.Millisecond}

// drill returns the context of a drill.
func drill(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// took logs how long a step took, in the form that `make drills` prints.
func took(t *testing.T, step string, d time.Duration) {
	t.Helper()
	t.Logf("drill: %s: %.2f s", step, d.Seconds())
}

// serve starts a server, and waits until it is ready.
func serve(ctx context.Context, t *testing.T, bin string, env ...string) *node.Node {
	t.Helper()
	s := node.New(t, bin, t.Output(), env...)
	start(ctx, t, s)
	return s
}

// start starts a server that was stopped, waits until it is ready, and returns how long it took.
func start(ctx context.Context, t *testing.T, s *node.Node) time.Duration {
	t.Helper()
	begin := time.Now()
	s.Start()
	traffic.Wait(ctx, t, "the server is ready", func() bool { return s.Ready(ctx) })
	return time.Since(begin)
}

// cluster starts two nodes on one database and one NATS server.
func cluster(ctx context.Context, t *testing.T, bin, database string) (nodes [2]*node.Node, bus *natstest.Server) {
	t.Helper()
	bus = natstest.Start(t)
	for i := range nodes {
		nodes[i] = serve(ctx, t, bin, "DATABASE_URL="+database, "NATS_URL="+bus.URL(), "UNHIDRA_SERVER_KEY="+serverKey,
			"UNHIDRA_TRUSTED_PROXIES=127.0.0.1", "UNHIDRA_DRAIN=200ms")
	}
	return nodes, bus
}

// command runs a command of the server as its operator does, with the server's settings, and
// returns what it prints to the standard output.
func command(t *testing.T, bin string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), bin, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("unhidra %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
