package natsbus_test

import (
	"encoding/binary"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/bus/bustest"
	"github.com/unhidra/unhidra/internal/natsbus"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
)

var _ bus.Bus = (*natsbus.Bus)(nil)

func connect(t *testing.T, reg prometheus.Registerer, urls string) *natsbus.Bus {
	t.Helper()
	b, err := natsbus.Connect(natsbus.Options{
		Servers: urls, Name: t.Name(), Prefix: "test.", Log: testkit.Logger(t), Metrics: reg,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func TestOneServer(t *testing.T) {
	s := natstest.Start(t)
	bustest.Run(t, func(t *testing.T) (here, there bus.Bus) { return connect(t, nil, s.URL()), connect(t, nil, s.URL()) })
}

// The two nodes are at different servers of a cluster.
func TestCluster(t *testing.T) {
	s := natstest.Cluster(t, 3)
	bustest.Run(t, func(t *testing.T) (here, there bus.Bus) {
		return connect(t, nil, s[0].URL()), connect(t, nil, s[2].URL())
	})
}

// With its server away, a node goes on by itself and says so; when the server is
// back it connects, follows what it followed, and tells that there was a gap.
func TestServerRestart(t *testing.T) {
	s := natstest.Start(t)
	reg := prometheus.NewRegistry()
	a, b := connect(t, reg, s.URL()), connect(t, nil, s.URL())
	var gaps, got atomic.Int64
	subscribe(t, a, bus.GapSubject, func(bus.Message) { gaps.Add(1) })
	subscribe(t, a, "news", func(bus.Message) { got.Add(1) })
	bustest.Settle(t, b, a, "news")
	before := gaps.Load()

	s.Stop()
	await(t, "the node to notice", func() bool { return a.Check(t.Context()) != nil })
	n := got.Load()
	for range 100 {
		if err := a.Publish("news", []byte("here")); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "messages within the node", func() bool { return got.Load() >= n+100 })
	await(t, "what was lost to be counted", func() bool { return metric(t, reg, "bus_lost_total") >= 100 })
	if metric(t, reg, "bus_connected") != 0 {
		t.Error("the metric says that a server is connected")
	}

	s.Start()
	await(t, "the node to come back", func() bool { return a.Check(t.Context()) == nil })
	await(t, "news of a gap", func() bool { return gaps.Load() > before })
	bustest.Settle(t, b, a, "news")
	if metric(t, reg, "bus_reconnects_total") == 0 || metric(t, reg, "bus_connected") != 1 {
		t.Error("the metrics do not say that the server came back")
	}
}

// A node starts though no server is there yet.
func TestServerStartsLater(t *testing.T) {
	s := natstest.Start(t)
	s.Stop()
	a := connect(t, nil, s.URL())
	if a.Check(t.Context()) == nil {
		t.Fatal("a server that is not there is connected")
	}
	var gaps atomic.Int64
	subscribe(t, a, bus.GapSubject, func(bus.Message) { gaps.Add(1) })
	subscribe(t, a, "news", func(bus.Message) {})
	s.Start()
	await(t, "the node to connect", func() bool { return a.Check(t.Context()) == nil })
	b := connect(t, nil, s.URL())
	bustest.Settle(t, b, a, "news")
	if gaps.Load() == 0 {
		t.Error("nothing told of the gap")
	}
}

// A server that is retired sends its nodes to another before it stops.
func TestLameDuck(t *testing.T) {
	s := natstest.Cluster(t, 3)
	a, b := connect(t, nil, natstest.URLs(s...)), connect(t, nil, s[2].URL())
	var old *natstest.Server
	await(t, "the node to be connected", func() bool {
		for _, x := range s[:2] {
			if x.Clients() == 1 {
				old = x
			}
		}
		return old != nil || s[2].Clients() == 2
	})
	if old == nil {
		old = s[2]
	}
	old.Retire()
	await(t, "the node to be elsewhere", func() bool {
		n := 0
		for _, x := range s {
			n += x.Clients()
		}
		return n >= 2 || old == s[2] && n >= 1
	})
	if old != s[2] {
		bustest.Settle(t, a, b, "news")
		bustest.Settle(t, b, a, "news")
	}
}

// Who reads too slowly loses messages, is counted, and holds nobody up.
func TestSlowSubscriber(t *testing.T) {
	s := natstest.Start(t)
	a, b := connect(t, nil, s.URL()), connect(t, nil, s.URL())
	gate := make(chan struct{})
	var quick atomic.Int64
	subscribe(t, b, "busy", func(bus.Message) { <-gate })
	defer close(gate)
	subscribe(t, b, "calm", func(bus.Message) { quick.Add(1) })
	bustest.Settle(t, a, b, "calm")
	for i := range uint32(10_000) {
		if err := a.Publish("busy", binary.BigEndian.AppendUint32(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	n := quick.Load()
	await(t, "the quick one", func() bool {
		_ = a.Publish("calm", nil)
		return quick.Load() > n+10
	})
	await(t, "what was lost to be counted", func() bool { return b.Dropped() > 0 })
}

// Two systems share a server, and do not hear each other.
func TestPrefix(t *testing.T) {
	s := natstest.Start(t)
	a := connect(t, nil, s.URL())
	other, err := natsbus.Connect(natsbus.Options{Servers: s.URL(), Prefix: "other.", Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	var got atomic.Int64
	subscribe(t, other, "news", func(bus.Message) { got.Add(1) })
	third := connect(t, nil, s.URL())
	bustest.Settle(t, a, third, "news")
	if got.Load() > 0 {
		t.Error("another system's messages came")
	}
}

func TestPasswordsAndTokens(t *testing.T) {
	s := natstest.StartWith(t, server.Options{Username: "unhidra", Password: "s3cret"})
	with := strings.Replace(s.URL(), "nats://", "nats://unhidra:s3cret@", 1)
	a, b := connect(t, nil, with), connect(t, nil, with)
	bustest.Settle(t, a, b, "news")
	stranger := connect(t, nil, s.URL())
	if stranger.Check(t.Context()) == nil {
		t.Error("connected without a password")
	}
	if _, err := natsbus.Connect(natsbus.Options{Servers: s.URL(), CA: "/nowhere", Log: testkit.Logger(t)}); err == nil {
		t.Error("a file that is not there is no error")
	}
}

func subscribe(t *testing.T, b bus.Bus, subject string, fn func(bus.Message)) {
	t.Helper()
	stop, err := b.Subscribe(subject, fn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s for %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func metric(t *testing.T, reg *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
