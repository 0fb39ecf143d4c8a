// Package live starts whole servers for tests, in the test's own process: the
// same app.Run as in production, on free ports of the loopback.
package live

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/password"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
)

// Password is that of every user that User makes.
const Password = "seven quiet otters row north"

// A Server is one that runs.
type Server struct {
	app.Addrs
	Store  store.Options // what it keeps everything in
	tb     testing.TB
	stop   context.CancelFunc
	once   sync.Once
	done   chan struct{}
	failed error
	nodes  int // of a cluster; 0: it is none
}

// Nodes returns how many processes the server is.
func (s *Server) Nodes() int { return max(s.nodes, 1) }

// Start starts a server that stops at the end of the test. Settings are added to
// the environment that it reads, KEY=value; its limits are so high that no test
// meets them by accident. An empty one, KEY=, stands for the default of a server.
func Start(tb testing.TB, o store.Options, settings ...string) *Server {
	tb.Helper()
	return StartLogged(tb, o, testkit.Logger(tb), settings...)
}

// StartLogged is Start with a log of the caller's own.
func StartLogged(tb testing.TB, o store.Options, log *slog.Logger, settings ...string) *Server {
	tb.Helper()
	return start(tb, o, app.Options{Log: log, Passwords: password.Options{HashMemory: 64}}, settings)
}

// StartHashing is Start with passwords hashed as servers do, which all others of this
// package do at a small part of the cost.
func StartHashing(tb testing.TB, o store.Options, settings ...string) *Server {
	tb.Helper()
	return start(tb, o, app.Options{Log: testkit.Logger(tb)}, settings)
}

// start starts a server with what is in run already.
func start(tb testing.TB, o store.Options, run app.Options, settings []string) *Server {
	tb.Helper()
	dir := tb.TempDir()
	environ := append([]string{
		"UNHIDRA_BIND_ADDR=127.0.0.1", "GATEWAY_PORT=0", "UNHIDRA_OPERATOR_ADDR=127.0.0.1:0", "UNHIDRA_DRAIN=10ms",
		"UNHIDRA_MQTT_ADDR=127.0.0.1:0",
		"UNHIDRA_CAPTCHA=off",
		"UNHIDRA_SERVER_KEY=the same key for every server of a test",
		"RATE_LIMIT_LOGIN_PER_MINUTE=100000", "RATE_LIMIT_LOGIN_BURST=100000", "RATE_LIMIT_REGISTER_PER_HOUR=100000",
		"UNHIDRA_ROOM_REQUESTS=nobody", "RATE_LIMIT_IP_PER_MINUTE=100000", "RATE_LIMIT_USER_PER_MINUTE=100000",
		"RATE_LIMIT_MESSAGES_PER_SEC=100000",
		"UNHIDRA_CONNECTIONS_PER_ADDR=100000", "UNHIDRA_CONNECTIONS_PER_USER=1000",
		"RATE_LIMIT_DEVICE_REGISTER_PER_HOUR=100000",
		"UNHIDRA_LOG_LEVEL=debug", // the test's own logger decides
	}, settings...)
	environ = slices.DeleteFunc(environ, func(v string) bool {
		key, _, _ := strings.Cut(v, "=")
		return slices.Contains(settings, key+"=")
	})
	if o.URL != "" {
		environ = append(environ, "UNHIDRA_DATA_DIR="+dir, "DATABASE_URL="+o.URL)
	} else {
		environ = append(environ, "UNHIDRA_DATA_DIR="+filepath.Dir(o.Path), "AUTH_DB_PATH="+o.Path)
	}
	c, err := config.Load(environ, nil)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	s := &Server{Store: o, tb: tb, stop: stop, done: make(chan struct{})}
	ready := make(chan app.Addrs, 1)
	run.Config, run.Version, run.Ready = c, "test", func(a app.Addrs) { ready <- a }
	go func() {
		defer close(s.done)
		s.failed = app.Run(ctx, run)
	}()
	tb.Cleanup(s.Stop)
	select {
	case s.Addrs = <-ready:
	case <-s.done:
		tb.Fatalf("the server did not start: %v", s.failed)
	case <-time.After(3 * time.Minute):
		tb.Fatal("the server did not start within three minutes")
	}
	if !strings.HasPrefix(s.URL, "https:") {
		s.URL = "http://" + s.Public // localhost may be another address
	}
	return s
}

// Stop stops the server in order, as a signal does, and waits.
func (s *Server) Stop() {
	s.tb.Helper()
	s.once.Do(func() {
		s.stop()
		<-s.done
		if s.failed != nil && !errors.Is(s.failed, context.Canceled) {
			s.tb.Errorf("the server did not stop well: %v", s.failed)
		}
	})
}

// User registers someone and returns a client that is signed in as them.
func (s *Server) User(name string) *client.Client {
	s.tb.Helper()
	c := client.New(s.URL)
	if err := c.Register(s.tb.Context(), client.Registration{Username: name, Password: Password}); err != nil {
		s.tb.Fatalf("register %s: %v", name, err)
	}
	return c
}

// Get asks the server for path, and gives the answer's body to the caller to
// close.
func (s *Server) Get(path string) *http.Response {
	s.tb.Helper()
	req, err := http.NewRequestWithContext(s.tb.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.tb.Fatal(err)
	}
	return res
}
