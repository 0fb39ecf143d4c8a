package live

import (
	"net/http/httptest"
	"os"
	"testing"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
)

// Each runs fn with a server on SQLite, and with a cluster: two nodes on
// PostgreSQL and NATS, which take requests in turn. Where UNHIDRA_TEST_LONG is
// set, as make integration does, also with a server alone on PostgreSQL, which
// has nothing that the other two have not.
func Each(t *testing.T, fn func(t *testing.T, s *Server)) {
	t.Helper()
	one := func(t *testing.T, start Starter) { fn(t, start()) }
	if os.Getenv("UNHIDRA_TEST_LONG") != "" {
		EachSetup(t, one)
		return
	}
	t.Run("sqlite", func(t *testing.T) { alone(t, testkit.SQLite(t), one) })
	t.Run("cluster", func(t *testing.T) { cluster(t, one) })
}

// A Starter starts a server; a second one, once the first has stopped, finds
// what that kept.
type Starter func(settings ...string) *Server

// EachSetup is for tests that start the server themselves. They always run on all
// three: SQLite, PostgreSQL, and the cluster.
func EachSetup(t *testing.T, fn func(t *testing.T, start Starter)) {
	t.Helper()
	testkit.Each(t, func(t *testing.T, o store.Options) { alone(t, o, fn) })
	t.Run("cluster", func(t *testing.T) { cluster(t, fn) })
}

func alone(t *testing.T, o store.Options, fn func(t *testing.T, start Starter)) {
	fn(t, func(settings ...string) *Server { return Start(t, o, settings...) })
}

func cluster(t *testing.T, fn func(t *testing.T, start Starter)) {
	o, bus := testkit.Postgres(t), natstest.Start(t)
	fn(t, func(settings ...string) *Server { return &StartCluster(t, o, bus.URL(), 2, settings...).Server })
}

// A Cluster is several nodes behind a balancer, which Server's addresses name.
type Cluster struct {
	Server
	Nodes []*Server
}

// StartCluster starts nodes on one store and the NATS servers at bus. They stop
// at the end of the test, and the balancer goes on until then.
func StartCluster(tb testing.TB, o store.Options, bus string, nodes int, settings ...string) *Cluster {
	tb.Helper()
	c, balancer := &Cluster{}, newBalancer()
	front := httptest.NewServer(balancer)
	tb.Cleanup(front.Close)
	settings = append([]string{"NATS_URL=" + bus, "UNHIDRA_PUBLIC_URL=" + front.URL, "UNHIDRA_TRUSTED_PROXIES=127.0.0.1"},
		settings...)
	for range nodes {
		s := Start(tb, o, settings...)
		s.URL = "http://" + s.Public
		c.Nodes = append(c.Nodes, s)
		balancer.add(s.Public)
	}
	first := c.Nodes[0]
	var brokers []string
	for _, s := range c.Nodes {
		brokers = append(brokers, s.MQTT)
	}
	c.Server = Server{
		Addrs: app.Addrs{URL: front.URL, Public: front.Listener.Addr().String(), Auth: first.Auth, Operator: first.Operator,
			Setup: first.Setup, MQTT: inTurn(tb, brokers)},
		Store: o, tb: tb, done: make(chan struct{}), nodes: nodes,
	}
	c.Server.stop = func() {
		for _, s := range c.Nodes {
			s.Stop()
		}
		close(c.Server.done)
	}
	tb.Cleanup(c.Stop)
	return c
}
