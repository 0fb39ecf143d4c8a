//go:build unix

package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/simulate"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/herd"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/talk"
)

func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("short: three minutes of faults are left out")
	}
	length := time.Duration(testkit.Setting(t, "CHAOS_SECONDS", 180)) * time.Second
	// The same faults each time, so that a failure is due to a change; make chaos uses others.
	seed := testkit.Setting(t, "CHAOS_SEED", 20261126)
	t.Logf("%s of faults; repeat with CHAOS_SEED=%d", length, seed)
	ctx, cancel := context.WithTimeout(t.Context(), length+10*time.Minute)
	defer cancel()
	c := startCluster(t, node.Build(t))
	w := &workload{h: NewHistory()}
	w.setUp(ctx, t, seed, func(i int) string { return "http://" + c.clients[i].Addr() })

	var loops, watching sync.WaitGroup
	for _, p := range w.people {
		p.connect(ctx, nil)
		loops.Go(func() { p.run(ctx, t) })
	}
	watched, unwatch := context.WithCancel(ctx)
	defer unwatch()
	g := &growth{c: c}
	watching.Go(func() { c.watch(watched) })
	watching.Go(func() { g.sample(watched) })

	keeper, farm := c.keeper(ctx)
	d := herd.Start(ctx, t, herd.Options{Owner: keeper, Login: "keeper", Password: password, Room: farm, Devices: devices,
		Every: time.Second, Seed: seed, Mix: simulate.Mix{Troubled: 50},
		Server: "http://device.invalid", MQTT: "mqtt://" + mqttAddress, Dial: c.dial})
	chat := talk.Start(ctx, t, talk.Options{Servers: c.doors(2 * talkers), People: talkers, Pause: thinkTime / 2,
		Files: 5 * time.Second, Seed: seed})

	c.play(ctx, Schedule(seed, length))
	mended := time.Now()
	for i, n := range c.nodes {
		c.wait(fmt.Sprintf("node %d is ready at the end", i), n.Ready)
	}
	w.stop.Store(true)
	loops.Wait()
	d.Stop(ctx)
	d.Check(ctx, c.nodes[0].URL())
	chat.Stop()
	w.converge(ctx, t, c, mended)
	w.final(ctx, t, c)
	chat.Check()
	unwatch()
	watching.Wait()
	g.check(ctx, t)
	for _, p := range w.people {
		p.live.Close()
	}
	for _, v := range Check(w.h) {
		t.Error(v)
	}
	for _, s := range c.logErrors() {
		t.Error(s)
	}
	w.report(t)
}

// doors are addresses of the servers, each through the link of another client.
func (c *cluster) doors(n int) (urls []string) {
	for _, k := range c.clients[:n] {
		urls = append(urls, "http://"+k.Addr())
	}
	return urls
}

// keeper is the owner of the devices, with a room for them: the history of the others is not of them.
func (c *cluster) keeper(ctx context.Context) (owner *client.Client, room string) {
	c.t.Helper()
	owner = client.New("http://" + c.clients[0].Addr())
	err := owner.Register(ctx, client.Registration{Username: "keeper", Password: password})
	var st client.RoomState
	if err == nil {
		st, err = owner.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Farm"})
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return owner, st.ID
}

// play injects the faults of a schedule, and waits until all are repaired.
func (c *cluster) play(ctx context.Context, faults []Fault) {
	begin := time.Now()
	var broken sync.WaitGroup
	locks := make(map[string]*sync.Mutex) // a target has one fault at a time
	for _, f := range faults {
		select {
		case <-time.After(f.At - time.Since(begin)): // the schedule says when
		case <-ctx.Done():
			c.t.Fatal("time is up")
		}
		c.t.Log(f)
		noun := f.What[strings.LastIndexByte(f.What, ' ')+1:]
		if strings.Contains(f.What, "nats") && !strings.Contains(f.What, "node") && !strings.Contains(f.What, "route") {
			noun = "nats"
		}
		lock := locks[noun]
		if lock == nil {
			lock = new(sync.Mutex)
			locks[noun] = lock
		}
		broken.Go(func() {
			lock.Lock()
			defer lock.Unlock()
			c.Break(f)
		})
	}
	broken.Wait()
}

// converge waits until all members have received all events.
func (w *workload) converge(ctx context.Context, t *testing.T, c *cluster, mended time.Time) {
	t.Helper()
	for _, room := range w.rooms() {
		w.h.Members[room] = w.members(ctx, t, room)
	}
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		if behind := w.behind(ctx, t); len(behind) == 0 {
			t.Logf("all members had all events %s after the last fault was repaired", time.Since(mended).Round(time.Millisecond))
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	t.Errorf("a minute after the end these are behind: %v", w.behind(ctx, t))
}

func (w *workload) behind(ctx context.Context, t *testing.T) (behind []string) {
	t.Helper()
	for room, members := range w.h.Members {
		st, err := w.stableMember(room).c.Room(ctx, room)
		if err != nil {
			t.Errorf("the head of %s: %v", room, err)
			continue
		}
		w.h.mu.Lock()
		for _, who := range members {
			if n := len(w.h.Seen[Reader{who, room}]); int64(n) < st.Head {
				behind = append(behind, fmt.Sprintf("%s in %s: %d of %d", who, room, n, st.Head))
			}
		}
		w.h.mu.Unlock()
	}
	return behind
}

// stableMember returns a member of a room who never leaves it.
func (w *workload) stableMember(room string) *person {
	for _, p := range w.people {
		if slices.Contains(w.h.Stable[room], p.id) {
			return p
		}
	}
	panic("nobody stays in " + room)
}

func (w *workload) members(ctx context.Context, t *testing.T, room string) (ids []string) {
	t.Helper()
	for cursor := ""; ; {
		page, err := w.stableMember(room).c.Members(ctx, room, cursor)
		if err != nil {
			t.Fatalf("the members of %s: %v", room, err)
		}
		for _, m := range page.Items {
			ids = append(ids, m.ID)
		}
		if cursor = page.Next; cursor == "" {
			return ids
		}
	}
}

// final reads the whole log of each room from each node, and the read marks.
func (w *workload) final(ctx context.Context, t *testing.T, c *cluster) {
	t.Helper()
	for _, room := range w.rooms() {
		for i, n := range c.nodes {
			reader := client.New(n.URL())
			reader.SetTokens(client.Tokens{Access: w.stableMember(room).c.Tokens().Access})
			var log []Entry
			for more := true; more; {
				r, err := reader.Events(ctx, room, int64(len(log)), 500)
				if err != nil {
					t.Fatalf("the log of %s from node %d: %v", room, i, err)
				}
				for _, e := range r.Events {
					log = append(log, entry(e))
				}
				more = r.More && len(r.Events) > 0
			}
			if i > 0 && !slices.Equal(log, w.h.Logs[room]) {
				t.Errorf("the nodes 0 and %d differ about the log of %s", i, room)
			}
			w.h.Logs[room] = log
		}
	}
	for _, p := range w.people {
		rooms, err := p.c.Rooms(ctx)
		if err != nil {
			t.Errorf("the rooms of %s: %v", p.name, err)
		}
		for _, st := range rooms {
			if slices.Contains(p.halls, st.ID) {
				w.h.Marks[Reader{p.id, st.ID}] = st.Read
			}
		}
	}
}

// report logs how much happened, and fails if it was too little.
func (w *workload) report(t *testing.T) {
	t.Helper()
	counts := make(map[string]int)
	for _, op := range w.h.Ops {
		counts[fmt.Sprintf("%s %s", op.Kind, [...]string{"without an answer", "acknowledged", "refused"}[op.Outcome])]++
	}
	lines := make([]string, 0, len(counts))
	for what, n := range counts {
		lines = append(lines, fmt.Sprintf("%7d %s", n, what))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[8:], b[8:]) })
	shown, events := 0, 0
	for _, seen := range w.h.Seen {
		shown += len(seen)
	}
	for _, log := range w.h.Logs {
		events += len(log)
	}
	t.Logf("%d events, shown %d times; %d sign-ins after a session had ended\n%s", events, shown, w.retries.Load(),
		strings.Join(lines, "\n"))
	if acked := counts["send acknowledged"]; acked < 100 {
		t.Errorf("only %d messages were acknowledged: that proves nothing", acked)
	}
}
