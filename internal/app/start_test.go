package app_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

// warnings passes on what is logged as a warning.
type warnings chan string

func (w warnings) Enabled(_ context.Context, l slog.Level) bool { return l == slog.LevelWarn }
func (w warnings) WithAttrs([]slog.Attr) slog.Handler           { return w }
func (w warnings) WithGroup(string) slog.Handler                { return w }
func (w warnings) Handle(_ context.Context, r slog.Record) error {
	select {
	case w <- r.Message:
	default:
	}
	return nil
}

// start runs a server until stop, or the test's end.
func start(t *testing.T, log *slog.Logger, env ...string) (ready chan app.Addrs, ended chan error, stop func()) {
	c, err := config.Load(append([]string{
		"UNHIDRA_BIND_ADDR=127.0.0.1", "GATEWAY_PORT=0", "UNHIDRA_OPERATOR_ADDR=127.0.0.1:0", "UNHIDRA_DRAIN=10ms",
		"UNHIDRA_DATA_DIR=" + t.TempDir(),
	}, env...), nil)
	if err != nil {
		t.Fatal(err)
	}
	ready, ended = make(chan app.Addrs, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended <- app.Run(ctx, app.Options{Config: c, Version: "test", Log: log, Ready: func(a app.Addrs) { ready <- a }})
	}()
	t.Cleanup(func() { stop(); <-done })
	return ready, ended, stop
}

// A connection that a browser opened in advance does not hold up a stop. For those
// http.Server waits five seconds, which are more than the server has here.
func TestStopWithAnUnusedConnection(t *testing.T) {
	t.Parallel()
	ready, ended, stop := start(t, testkit.Logger(t), "UNHIDRA_SHUTDOWN_TIMEOUT=3s")
	var a app.Addrs
	select {
	case a = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", a.Public)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	res, err := http.Get("http://" + a.Public + "/v1/meta") // which comes later, so that the other one is known
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A server that starts while PostgreSQL is away, as at a power cut's end, waits for
// it; one that is told a wrong name says so at once.
func TestStartWaitsForPostgres(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t, node.Port(t), "")
	pg.Crash()
	said := make(warnings, 100)
	ready, ended, _ := start(t, slog.New(said), "DATABASE_URL="+pg.URL())
	deadline := time.After(2 * time.Minute)
	for waits := false; !waits; {
		select {
		case m := <-said:
			waits = strings.Contains(m, "will try again")
		case err := <-ended:
			t.Fatalf("the server ended while the database was away: %v", err)
		case <-deadline:
			t.Fatal("the server does not say that it waits for the database")
		}
	}
	pg.Restart()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("the server ended once the database was back: %v", err)
	case <-deadline:
		t.Fatal("the server did not start when the database was back")
	}
	_, ended, _ = start(t, slog.New(said), "DATABASE_URL="+strings.Replace(pg.URL(), "/postgres?", "/no_such_database?",
		1))
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "no_such_database") {
			t.Errorf("with a wrong name: %v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the server waits for a database that does not exist")
	}
}
