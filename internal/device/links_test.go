package device

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/wire"
)

// A node is a process that devices connect to, without its loops: the test says what time it is, and
// when it looks.
type node struct {
	*Service
	audit *audit
	clock *clock
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newNode(t *testing.T, db *all.Store, b bus.Bus, c *clock) *node {
	t.Helper()
	a := &audit{}
	s := New(Deps{Store: db.Devices, Bus: b, Log: testkit.Logger(t), Audit: a, Pepper: make([]byte, 32), Now: c.time})
	for subject, do := range map[string]func(bus.Message){rivalsSubject: s.onRivals, bus.DescribedSubject: s.onDescribed,
		takenSubject: func(m bus.Message) { s.onTaken(context.Background(), m) }} {
		stop, err := b.Subscribe(subject, do)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	return &node{s, a, c}
}

// look does what Run does within some seconds.
func (n *node) look(t *testing.T) {
	t.Helper()
	for range 2 {
		for _, do := range []func(context.Context) error{n.storeLinks, n.sweep, n.lives, n.endDead} {
			if err := do(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// atOnce is a bus whose subscribers have heard a message when Publish returns.
type atOnce struct {
	subscribers map[string][]func(bus.Message)
}

func (b atOnce) Publish(subject string, data []byte) error {
	for _, fn := range b.subscribers[subject] {
		fn(bus.Message{Subject: subject, Data: data})
	}
	return nil
}

func (b atOnce) Subscribe(subject string, fn func(bus.Message)) (func(), error) {
	b.subscribers[subject] = append(b.subscribers[subject], fn)
	return func() {}, nil
}

// heard is when a connection was last heard.
type heard struct {
	at time.Time
}

func (h *heard) last() time.Time { return h.at }

// connect opens a connection, and returns when it was heard.
func (n *node) connect(t *testing.T, conn string, p domain.Principal, addr string) *heard {
	t.Helper()
	h := &heard{n.clock.time()}
	n.DeviceConnected(t.Context(), conn, p, netip.MustParseAddr(addr), h.last)
	return h
}

func (n *node) is(t *testing.T, device string, want domain.DeviceState, session int64) domain.DeviceStatus {
	t.Helper()
	n.look(t)
	d, err := n.Store.DeviceByID(t.Context(), device)
	if err != nil || d.Status.State(n.clock.time()) != want || d.Status.Session != session {
		t.Helper()
		t.Errorf("%s in session %d, not %s in %d; %v", d.Status.State(n.clock.time()), d.Status.Session, want, session, err)
	}
	return d.Status
}

// eachNode gives do a node, another one, and a device of ann.
func eachNode(t *testing.T, do func(t *testing.T, a, b *node, p domain.Principal)) {
	t.Helper()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		owner := user(t, db, "ann")
		c, shared := &clock{now: time.Now().Truncate(time.Second)}, atOnce{make(map[string][]func(bus.Message))}
		a, b := newNode(t, db, shared, c), newNode(t, db, shared, c)
		made, err := a.Register(t.Context(), owner, Registration{Name: "pump"})
		if err != nil {
			t.Fatal(err)
		}
		do(t, a, b, domain.Principal{ID: made.Device.ID, Kind: domain.KindDevice, Key: made.KeyID, Owner: owner})
	})
}

// Without a heartbeat, a device is there as long as it has a connection, and a moment longer.
func TestAConnectionSaysThatADeviceIsThere(t *testing.T) {
	t.Parallel()
	eachNode(t, func(t *testing.T, a, b *node, p domain.Principal) {
		a.connect(t, "c1", p, "10.0.0.1")
		a.is(t, p.ID, domain.DeviceOnline, 1)
		a.clock.pass(time.Hour)
		a.look(t)
		b.connect(t, "c2", p, "10.0.0.1") // it came back, before a noticed that it had gone
		b.is(t, p.ID, domain.DeviceOnline, 2)
		a.DeviceDisconnected(t.Context(), "c1", "lost")
		a.clock.pass(2 * grace)
		a.look(t)
		b.is(t, p.ID, domain.DeviceOnline, 2)
		b.DeviceDisconnected(t.Context(), "c2", "gone")
		b.DeviceDisconnected(t.Context(), "c2", "gone")
		b.is(t, p.ID, domain.DeviceOnline, 2)
		b.clock.pass(grace)
		if s := b.is(t, p.ID, domain.DeviceOffline, 2); s.Reason != "gone" {
			t.Errorf("%+v", s)
		}
	})
}

// With a heartbeat, what is heard says it: over a pause between two connections, and not over a silence
// of more than 2.5 heartbeats on one that is open.
func TestAHeartbeatSaysThatADeviceIsThere(t *testing.T) {
	t.Parallel()
	eachNode(t, func(t *testing.T, a, _ *node, p domain.Principal) {
		h := a.connect(t, "c1", p, "10.0.0.1")
		a.is(t, p.ID, domain.DeviceOnline, 1)
		if err := a.Describe(t.Context(), p, domain.Capabilities{Heartbeat: 60}); err != nil {
			t.Fatal(err)
		}
		a.clock.pass(150 * time.Second)
		a.is(t, p.ID, domain.DeviceOnline, 1)
		a.clock.pass(time.Second)
		if s := a.is(t, p.ID, domain.DeviceOffline, 1); s.Reason != "silent" {
			t.Errorf("%+v", s)
		}
		h.at = a.clock.time()
		a.is(t, p.ID, domain.DeviceOnline, 2)
		a.DeviceDisconnected(t.Context(), "c1", "client")
		a.clock.pass(149 * time.Second)
		a.is(t, p.ID, domain.DeviceOnline, 2)
		a.clock.pass(2 * time.Second)
		a.is(t, p.ID, domain.DeviceOffline, 2)

		a.connect(t, "c3", p, "10.0.0.1") // to be silent, while another one comes and goes
		a.is(t, p.ID, domain.DeviceOnline, 3)
		a.clock.pass(151 * time.Second)
		a.is(t, p.ID, domain.DeviceOffline, 3)
		a.connect(t, "c4", p, "10.0.0.1")
		a.DeviceDisconnected(t.Context(), "c4", "client")
		a.DeviceDisconnected(t.Context(), "c3", "client")
		a.clock.pass(151 * time.Second)
		a.is(t, p.ID, domain.DeviceOffline, 5)
	})
}

// A device that says itself that it is not there is offline, until it says the opposite or connects anew.
func TestADeviceSaysThatItIsNotThere(t *testing.T) {
	t.Parallel()
	eachNode(t, func(t *testing.T, a, _ *node, p domain.Principal) {
		a.connect(t, "c1", p, "10.0.0.1")
		a.is(t, p.ID, domain.DeviceOnline, 1)
		a.DeviceAvailable("c1", p.ID, false)
		if s := a.is(t, p.ID, domain.DeviceOffline, 1); s.Reason != "unavailable" {
			t.Errorf("%+v", s)
		}
		a.DeviceAvailable("c1", p.ID, true)
		a.is(t, p.ID, domain.DeviceOnline, 2)
		a.DeviceAvailable("c1", p.ID, false)
		a.is(t, p.ID, domain.DeviceOffline, 2)
		a.connect(t, "c2", p, "10.0.0.1")
		a.DeviceDisconnected(t.Context(), "c1", "taken_over")
		a.DeviceAvailable("c1", p.ID, false) // its will
		a.is(t, p.ID, domain.DeviceOnline, 4)
	})
}

// Whoever says when they want to be back is asleep until then.
func TestADeviceSleepsUntilItIsBack(t *testing.T) {
	t.Parallel()
	eachNode(t, func(t *testing.T, a, _ *node, p domain.Principal) {
		a.connect(t, "c1", p, "10.0.0.1")
		if err := a.Leaves(t.Context(), p, "sleep", time.Hour); err != nil { // before its connection is stored
			t.Fatal(err)
		}
		a.is(t, p.ID, domain.DeviceOnline, 1)
		a.DeviceDisconnected(t.Context(), "c1", "client")
		a.is(t, p.ID, domain.DeviceAsleep, 1)
		a.clock.pass(59 * time.Minute)
		a.is(t, p.ID, domain.DeviceAsleep, 1)
		a.clock.pass(time.Minute)
		a.is(t, p.ID, domain.DeviceOffline, 1)
	})
}

// The devices of a node that died have time to connect to another one. A node that was taken for dead
// tells of its devices again.
func TestDevicesOutliveTheirNode(t *testing.T) {
	t.Parallel()
	eachNode(t, func(t *testing.T, a, b *node, p domain.Principal) {
		a.connect(t, "c1", p, "10.0.0.1")
		a.is(t, p.ID, domain.DeviceOnline, 1)
		b.clock.pass(nodeDead + time.Second)
		b.is(t, p.ID, domain.DeviceOnline, 1)
		b.clock.pass(restartGrace)
		if s := b.is(t, p.ID, domain.DeviceOffline, 1); s.Reason != "restart" {
			t.Errorf("%+v", s)
		}
		a.is(t, p.ID, domain.DeviceOnline, 2)
	})
}

// A key that lives at two places was copied, and so was one whose connections put each other out.
func TestTheOwnerIsToldOfACopiedKey(t *testing.T) {
	t.Parallel()
	notices := func(n *node) (all int) {
		for _, said := range n.audit.said() {
			if strings.HasPrefix(said, "device.doubled") {
				all++
			}
		}
		return all
	}
	eachNode(t, func(t *testing.T, a, b *node, p domain.Principal) {
		old := a.connect(t, "c1", p, "10.0.0.1")
		a.look(t)
		b.connect(t, "c2", p, "10.0.0.2") // it moved
		b.look(t)
		a.clock.pass(time.Minute)
		a.look(t)
		if n := notices(a); n != 0 {
			t.Errorf("%d notices of a device that moved", n)
		}
		old.at = a.clock.time()
		if s := a.is(t, p.ID, domain.DeviceOnline, 2); !slices.Equal(s.Places, []string{"10.0.0.1", "10.0.0.2"}) {
			t.Errorf("%+v", s)
		}
		a.DeviceDisconnected(t.Context(), "c1", "client")
		a.clock.pass(doubledAgain + time.Minute)
		for i := range 2 * contestTurns { // they put each other out
			addr := "10.0.0." + string('1'+rune(i%2))
			b.connect(t, "d"+addr, p, addr)
			b.look(t)
			b.DeviceDisconnected(t.Context(), "d10.0.0."+string('1'+rune((i+1)%2)), "taken_over")
			b.look(t)
			b.clock.pass(10 * time.Second)
		}
		a.look(t)
		if n, m := notices(a), notices(b); n+m != 2 {
			t.Errorf("%d and %d notices, not 2 together", n, m)
		}
	})
	for _, same := range [][2]string{{"10.0.0.1", "2001:db8::1"}, {"2001:db8::1", "2001:db8::2"}, {"", "10.0.0.1"}} {
		if apart(same[0], same[1]) {
			t.Errorf("%v are two places", same)
		}
	}
}

// The store may learn only after both that one connection has taken the place of the other.
func TestTakeoversWithinAMomentAreAContest(t *testing.T) {
	t.Parallel()
	eachNode(t, func(t *testing.T, a, b *node, p domain.Principal) {
		for i := range contestTurns + 1 {
			from, to := a, b
			if i%2 != 0 {
				from, to = b, a
			}
			if i%3 == 0 { // the one that ends is heard of first
				from.DeviceDisconnected(t.Context(), fmt.Sprint(i-1), takenOver)
				from.look(t)
			}
			to.connect(t, fmt.Sprint(i), p, "10.0.0."+fmt.Sprint(1+i%2))
			from.DeviceDisconnected(t.Context(), fmt.Sprint(i-1), takenOver)
			from.look(t)
			if s := to.is(t, p.ID, domain.DeviceOnline, int64(i+1)); s.Doubled.IsZero() == (i == contestTurns) {
				t.Errorf("after %d turns: %+v", i, s)
			}
			b.clock.pass(time.Second)
		}
	})
}

// What is lost of what is to be stored leaves no device in a wrong state.
func TestLostChangesAreToldAnew(t *testing.T) {
	t.Parallel()
	eachNode(t, func(t *testing.T, a, _ *node, p domain.Principal) {
		a.connect(t, "c1", p, "10.0.0.1")
		a.is(t, p.ID, domain.DeviceOnline, 1)
		a.DeviceDisconnected(t.Context(), "c1", "lost")
		a.live.changes = make([]change, linkMost) // as while the database was away
		a.connect(t, "c2", p, "10.0.0.1")
		a.is(t, p.ID, domain.DeviceOnline, 2)
		a.DeviceDisconnected(t.Context(), "c2", "lost")
		a.clock.pass(grace)
		a.is(t, p.ID, domain.DeviceOffline, 2)
	})
}

// The owner, and whoever watches a device, is told that it comes and goes, of addresses the owner alone.
func TestComingAndGoingIsTold(t *testing.T) {
	t.Parallel()
	eachNode(t, func(t *testing.T, a, _ *node, p domain.Principal) {
		got := make(chan string, 10)
		for name, subject := range map[string]string{"owner": wire.UserSubject(p.Owner),
			"watcher": wire.DeviceSubject(p.ID)} {
			stop, err := a.Bus.Subscribe(subject, func(m bus.Message) {
				_, frame, _ := strings.Cut("\n"+string(m.Data), "\n{\"type\":\"device.status\"}\n")
				if frame == "" {
					frame = string(m.Data)
				}
				var r struct{ Data wire.DeviceStatuses }
				if err := json.Unmarshal([]byte(frame), &r); err != nil || len(r.Data.Devices) != 1 {
					t.Errorf("%s: %v", m.Data, err)
					return
				}
				d := r.Data.Devices[0]
				got <- name + " " + d.State + " " + strings.Join(d.Places, " ")
			})
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
		}
		want := func(all ...string) {
			t.Helper()
			var said []string
			for range all {
				said = append(said, <-got)
			}
			slices.Sort(said)
			if !slices.Equal(said, all) {
				t.Errorf("told %q, not %q", said, all)
			}
		}
		a.connect(t, "c1", p, "10.0.0.1")
		a.look(t)
		want("owner online ", "watcher online ")
		if err := a.double(t.Context(), p.ID, []string{"10.0.0.1", "10.0.0.2"}, a.clock.time()); err != nil {
			t.Fatal(err)
		}
		want("owner online 10.0.0.1 10.0.0.2", "watcher online ")
		a.DeviceDisconnected(t.Context(), "c1", "lost")
		a.clock.pass(grace)
		a.look(t)
		want("owner offline 10.0.0.1 10.0.0.2", "watcher offline ")
	})
}

// slow is a store that takes its time for each batch of links, while more links open and end. Who waits for a mutex
// cannot be seen: the time is that after which a sync.Mutex goes to whoever waits, five times over.
type slow struct {
	uses
	noted  func()
	stored atomic.Int64 // batches
	lived  chan int64   // batches that were stored when the node said that it lives
}

func (s *slow) Link(
	context.Context, string, []domain.LinkChange,
) ([]domain.DeviceStatus, []domain.LinkRivals, error) {
	time.Sleep(5 * time.Millisecond)
	s.noted()
	s.stored.Add(1)
	return nil, nil, nil
}

func (s *slow) NodeLives(context.Context, string, time.Time) (bool, error) {
	select {
	case s.lived <- s.stored.Load():
	default:
	}
	return true, nil
}

// A node whose store is slow says that it lives while many links wait to be stored: or else others would take it for
// dead, and end and store all its links anew. Who waits for links waits for no later ones.
func TestANodeLivesWhileItsLinksAreStored(t *testing.T) {
	t.Parallel()
	db := &slow{lived: make(chan int64, 2)}
	s := New(Deps{Store: db, Bus: bus.NewLocal(), Log: testkit.Logger(t)})
	const batches = 40
	connect := func(from, to int) {
		for i := from; i < to; i++ {
			p := domain.Principal{ID: fmt.Sprintf("dev_%d", i), Kind: domain.KindDevice}
			s.DeviceConnected(t.Context(), fmt.Sprintf("conn_%d", i), p, netip.Addr{}, s.Now)
		}
	}
	connect(0, batches*linkBatch)
	next := batches * linkBatch
	lives := make(chan error, 1)
	db.noted = func() {
		if connect(next, next+linkBatch); next == batches*linkBatch {
			begun := make(chan struct{})
			go func() {
				close(begun)
				lives <- s.lives(context.WithoutCancel(t.Context()))
			}()
			<-begun
		}
		next += linkBatch
	}
	if err := errors.Join(s.storeLinks(t.Context()), <-lives); err != nil {
		t.Fatal(err)
	}
	if n := db.stored.Load(); n != batches {
		t.Errorf("%d batches were stored, of %d that waited at first", n, batches)
	}
	<-db.lived // of the first batch
	if n := <-db.lived; n >= batches {
		t.Error("the node said that it lives when all links were stored")
	}
}
