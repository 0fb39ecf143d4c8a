package app_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
)

// busy is what a machine with other work may add to the times that are promised.
const busy = 3 * time.Second

// at returns a client of the same user at one node.
func at(t *testing.T, c *client.Client, s *live.Server) *client.Client {
	t.Helper()
	there := client.New("http://" + s.Public)
	there.SetTokens(c.Tokens())
	return there
}

// hearer is somebody connected to one node, who keeps what they hear.
type hearer struct {
	*client.Live
	mu     sync.Mutex
	seqs   map[string][]int64 // of events, by room
	typing int
	is     map[string]string // presence by user
	why    []string          // connections ended
}

func listen(t *testing.T, c *client.Client) *hearer {
	t.Helper()
	h := &hearer{seqs: make(map[string][]int64), is: make(map[string]string)}
	in := func(fn func()) { h.mu.Lock(); defer h.mu.Unlock(); fn() }
	h.Live = c.Live(t.Context(), client.LiveOptions{
		OnEvent:    func(e client.Event) { in(func() { h.seqs[e.Room] = append(h.seqs[e.Room], e.Seq) }) },
		OnTyping:   func(client.Typing) { in(func() { h.typing++ }) },
		OnPresence: func(p client.Presence) { in(func() { h.is[p.User] = p.Is }) },
		OnState: func(s client.State, err error) {
			if err != nil {
				in(func() { h.why = append(h.why, err.Error()) })
			}
		},
	})
	t.Cleanup(h.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hearer) last(room string) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.seqs[room]; len(s) > 0 {
		return s[len(s)-1]
	}
	return 0
}

// whole fails if the hearer did not get each event of a room once, in order.
func (h *hearer) whole(t *testing.T, who, room string, from, to int64) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	var want []int64
	for n := from; n <= to; n++ {
		want = append(want, n)
	}
	if got := h.seqs[room]; !slices.Equal(got, want) {
		t.Errorf("%s heard %d events, which are not %d to %d, each once and in order: %v", who, len(got), from, to, got)
	}
}

// team is ann and bob, in one room, at the first and the second node.
func team(t *testing.T, c *live.Cluster) (ann, bob *client.Client, room string) {
	t.Helper()
	ctx := t.Context()
	ann, bob = at(t, c.User("ann"), c.Nodes[0]), at(t, c.User("bob"), c.Nodes[1])
	r, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Operations"})
	must(t, err)
	must(t, ann.Add(ctx, r.ID, id(t, bob)))
	return ann, bob, r.ID
}

func id(t *testing.T, c *client.Client) string {
	t.Helper()
	me, err := c.Me(t.Context())
	must(t, err)
	return me.ID
}

// People on two nodes are in one room: what one says, does and is, the other sees.
func TestTwoNodesAreOneRoom(t *testing.T) {
	t.Parallel()
	c := live.StartCluster(t, testkit.Postgres(t), natstest.URLs(natstest.Cluster(t, 3)...), 2)
	ctx := t.Context()
	ann, bob, room := team(t, c)
	a, b := listen(t, ann), listen(t, bob)
	ps, err := b.Watch(ctx, id(t, ann))
	must(t, err)
	if len(ps) != 1 {
		t.Fatalf("bob watches %+v", ps)
	}
	sees := func(is string) func() bool {
		return func() bool {
			ps, err := b.Watch(ctx, id(t, ann))
			return err == nil && len(ps) == 1 && ps[0].Is == is
		}
	}
	wait(t, sees("online"))
	must(t, a.SetActive(ctx, false))
	wait(t, sees("away"))

	wait(t, func() bool { a.Typing(room); b.mu.Lock(); defer b.mu.Unlock(); return b.typing > 0 })

	for i := range 20 { // in turn, at either node
		l := []*hearer{a, b}[i%2]
		_, err := l.Send(ctx, client.Draft{Room: room, Key: fmt.Sprint("k", i), Text: "hello"})
		must(t, err)
	}
	head, err := ann.Room(ctx, room)
	must(t, err)
	wait(t, func() bool { return a.last(room) == head.Head && b.last(room) == head.Head })
	a.whole(t, "ann", room, head.Head-19, head.Head)
	b.whole(t, "bob", room, head.Head-19, head.Head)
	a.Close()
	wait(t, sees("offline"))
}

// With NATS away people go on, hear each other by way of the store within five
// seconds, and are told of what ended by the store as well.
func TestTheBusIsAway(t *testing.T) {
	bus := natstest.Start(t)
	c := live.StartCluster(t, testkit.Postgres(t), bus.URL(), 2)
	ctx := t.Context()
	ann, bob, room := team(t, c)
	a, b := listen(t, ann), listen(t, bob)
	other := client.New("http://" + c.Nodes[1].Public) // ann's second session, at the other node
	must(t, other.SignIn(ctx, "ann", live.Password))
	o := listen(t, other)

	bus.Stop()
	begin := time.Now()
	sent, err := a.Send(ctx, client.Draft{Room: room, Text: "is anybody there?"})
	must(t, err)
	wait(t, func() bool { return a.last(room) == sent.Seq })
	wait(t, func() bool { return b.last(room) == sent.Seq })
	if took := time.Since(begin); took > 5*time.Second+busy {
		t.Errorf("the other node found the message after %v", took)
	}
	for _, n := range c.Nodes {
		if code, body := get(t, "http://"+n.Public+"/ready"); code != 200 || !strings.Contains(body, `"bus"`) {
			t.Errorf("ready answers %d: %s", code, body)
		}
	}

	begin = time.Now()
	must(t, ann.Do(ctx, "DELETE", "/me/sessions", nil, nil))
	wait(t, func() bool { return o.State() != client.Online })
	if took := time.Since(begin); took > 5*time.Second+busy {
		t.Errorf("a session ended at the other node after %v", took)
	}

	bus.Start()
	wait(t, func() bool {
		_, body := get(t, "http://"+c.Nodes[0].Public+"/ready")
		return !strings.Contains(body, "degraded")
	})
}

// CHK-TK-04: what is signed out at one node is out at all of them at once.
func TestCHK_TK_04_SignOutReachesEveryNode(t *testing.T) {
	c := live.StartCluster(t, testkit.Postgres(t), natstest.Start(t).URL(), 3)
	ctx := t.Context()
	ann := c.User("ann")
	var everywhere []*client.Client
	var live []*hearer
	for _, n := range c.Nodes {
		everywhere = append(everywhere, at(t, ann, n))
		live = append(live, listen(t, everywhere[len(everywhere)-1]))
	}
	token := ann.Tokens().Access
	begin := time.Now()
	must(t, everywhere[0].SignOut(ctx))
	for i, n := range c.Nodes {
		bare := client.New("http://" + n.Public)
		bare.Token(token)
		wait(t, func() bool { _, err := bare.Me(ctx); return status(err) == 401 })
		if took := time.Since(begin); took > time.Second+busy {
			t.Errorf("node %d accepted the token for %v", i, took)
		}
	}
	for i, l := range live {
		wait(t, func() bool { return l.State() != client.Online })
		if took := time.Since(begin); took > 2*time.Second+busy {
			t.Errorf("node %d closed its socket after %v", i, took)
		}
	}
}

// A node that is stopped in order sends its people to another, spread out, with
// close code 1012; they miss nothing and hear nothing twice.
func TestDrainMovesPeopleToAnotherNode(t *testing.T) {
	t.Parallel()
	c := live.StartCluster(t, testkit.Postgres(t), natstest.Start(t).URL(), 2, "UNHIDRA_DRAIN=1s",
		"UNHIDRA_DRAIN_DELAY=500ms")
	ctx := t.Context()
	ann := c.User("ann")
	r, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Moving"})
	must(t, err)
	first, err := ann.Room(ctx, r.ID)
	must(t, err)
	hearers := make([]*hearer, 8) // through the balancer: half of them at each node
	for i := range hearers {
		same := client.New(c.URL)
		same.SetTokens(ann.Tokens())
		hearers[i] = listen(t, same)
	}
	var stop atomic.Bool
	done := make(chan int64)
	go func() {
		var last int64
		for i := 0; !stop.Load(); i++ {
			sent, err := hearers[i%2].Send(ctx, client.Draft{Room: r.ID, Key: fmt.Sprint("k", i), Text: "on we go"})
			if err != nil {
				t.Error(err)
				break
			}
			last = max(last, sent.Seq)
		}
		done <- last
	}()
	wait(t, func() bool { return hearers[0].last(r.ID) > first.Head+10 })
	c.Nodes[0].Stop()
	at := hearers[0].last(r.ID)
	wait(t, func() bool {
		for _, h := range hearers {
			if h.State() != client.Online || h.last(r.ID) < at+10 {
				return false
			}
		}
		return true
	})
	stop.Store(true)
	last := <-done
	moved := 0
	for i, h := range hearers {
		wait(t, func() bool { return h.last(r.ID) >= last })
		h.whole(t, fmt.Sprint("hearer ", i), r.ID, first.Head+1, h.last(r.ID))
		if len(h.why) > 0 {
			moved++
			if !strings.Contains(h.why[0], "(1012)") {
				t.Errorf("hearer %d was closed by %v", i, h.why)
			}
		}
	}
	if moved == 0 || moved == len(hearers) {
		t.Errorf("%d of %d moved", moved, len(hearers))
	}
}

// Three nodes append to one room as fast as they can: no number is missing or
// given twice, every node gets its turn, and a key means one message, at whichever
// nodes it is sent.
func TestHotRoom(t *testing.T) {
	o := testkit.Postgres(t)
	c := live.StartCluster(t, o, natstest.Start(t).URL(), 3)
	ctx := t.Context()
	ann := c.User("ann")
	r, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Hot"})
	must(t, err)
	const each = 100
	senders := int64(testkit.Setting(t, "HOT_SENDERS", 8)) // to each node
	reader := listen(t, at(t, ann, c.Nodes[2]))
	var wg sync.WaitGroup
	var acked, turns [3]atomic.Int64
	var all atomic.Int64
	for n, node := range c.Nodes {
		for i := range senders {
			l := listen(t, at(t, ann, node))
			wg.Go(func() {
				for k := range each {
					// Every third key is sent at all three nodes.
					key := fmt.Sprintf("n%d-%d-%d", n, i, k)
					if k%3 == 0 {
						key = fmt.Sprintf("shared-%d-%d", i, k)
					}
					if _, err := l.Send(ctx, client.Draft{Room: r.ID, Key: key, Text: "hot"}); err != nil {
						t.Error(err)
						return
					}
					acked[n].Add(1)
					if all.Add(1) <= 3*senders*each/2 {
						turns[n].Add(1)
					}
				}
			})
		}
	}
	begin := time.Now()
	wg.Wait()
	const shared = (each + 2) / 3
	want := 3*senders*(each-shared) + senders*shared
	state, err := ann.Room(ctx, r.ID)
	must(t, err)
	if got := state.Head - r.Head; got != want {
		t.Errorf("%d messages in the log, want %d", got, want)
	}
	wait(t, func() bool { return reader.last(r.ID) == state.Head })
	reader.whole(t, "the reader", r.ID, r.Head+1, state.Head)
	t.Logf("%d acknowledged in %v; of the first half the nodes had %d, %d, %d", all.Load(), time.Since(begin),
		turns[0].Load(), turns[1].Load(), turns[2].Load())
	for n := range turns {
		if turns[n].Load() < senders*each/2/4 { // a fair share is 400
			t.Errorf("node %d had %d of the first %d", n, turns[n].Load(), 3*senders*each/2)
		}
	}
	keys := map[string]bool{}
	for after := int64(0); ; {
		page, err := ann.Events(ctx, r.ID, after, 500)
		must(t, err)
		if len(page.Events) == 0 {
			break
		}
		for _, e := range page.Events {
			if e.Seq != after+1 {
				t.Fatalf("event %d follows %d", e.Seq, after)
			}
			after = e.Seq
			if e.Message != nil && keys[e.Message.Key] {
				t.Errorf("key %s was given two numbers", e.Message.Key)
			}
			if e.Message != nil {
				keys[e.Message.Key] = true
			}
		}
	}
}

// Roles in processes of their own: the account API here, rooms there, mails and the
// like in a third.
func TestRolesApart(t *testing.T) {
	t.Parallel()
	o, bus := testkit.Postgres(t), natstest.Start(t)
	start := func(roles string) *live.Server {
		return live.Start(t, o, "NATS_URL="+bus.URL(), "UNHIDRA_ROLES="+roles, "AUTH_BIND_ADDR=127.0.0.1:0")
	}
	accounts, rooms, work := start("auth"), start("gateway"), start("worker")
	ctx := t.Context()
	door := client.New("http://" + accounts.Auth)
	must(t, door.Register(ctx, client.Registration{Username: "ann", Password: live.Password}))
	ann := client.New(rooms.URL)
	ann.Token(door.Tokens().Access)
	r, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Apart"})
	must(t, err)
	l := listen(t, ann)
	sent, err := l.Send(ctx, client.Draft{Room: r.ID, Text: "hello"})
	must(t, err)
	wait(t, func() bool { return l.last(r.ID) == sent.Seq })
	must(t, door.SignOut(ctx))
	wait(t, func() bool { return l.State() != client.Online })
	if work.Public != "" || work.Auth != "" {
		t.Errorf("the worker opens doors: %+v", work.Addrs)
	}
	for _, s := range []*live.Server{accounts, rooms, work} {
		for _, path := range []string{"/health", "/ready"} {
			if code, body := get(t, "http://"+s.Operator+path); code != 200 {
				t.Errorf("%s: %d %s", path, code, body)
			}
		}
	}
}

// What cannot work together is refused at the start, in a sentence that says what
// to do.
func TestRefusedCombinations(t *testing.T) {
	t.Parallel()
	bus := natstest.Start(t)
	refused := func(o store.Options, want string, settings ...string) {
		t.Helper()
		environ := append([]string{
			"UNHIDRA_DATA_DIR=" + t.TempDir(), "UNHIDRA_BIND_ADDR=127.0.0.1", "GATEWAY_PORT=0", "UNHIDRA_OPERATOR_ADDR=off",
			"UNHIDRA_SERVER_KEY=the same key for every server of a test", "DATABASE_URL=" + o.URL, "AUTH_DB_PATH=" + o.Path,
		}, settings...)
		c, err := config.Load(environ, nil)
		if err == nil {
			err = app.Run(t.Context(), app.Options{Config: c, Version: "test", Log: testkit.Logger(t)})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", settings, err, want)
		}
	}
	lite := testkit.SQLite(t)
	live.Start(t, lite)
	refused(lite, "another Unhidra server is using this database")
	refused(lite, "DATABASE_URL", "NATS_URL="+bus.URL())

	pg := testkit.Postgres(t)
	alone := live.Start(t, pg)
	refused(pg, "without NATS_URL the two would not hear of each other")
	refused(pg, "an Unhidra server without NATS_URL is using this PostgreSQL database", "NATS_URL="+bus.URL())
	alone.Stop()
	live.Start(t, pg, "NATS_URL="+bus.URL())
	live.Start(t, pg, "NATS_URL="+bus.URL())
	refused(pg, "without NATS_URL the two would not hear of each other")
}
