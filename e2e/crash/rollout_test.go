package crash

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/simulate"
	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretest"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// The server is killed while a rollout goes on: every board ends with the new image, and goes through the update once;
// each update is decided once, and each stage.
func TestKillsChangeNothingOfARollout(t *testing.T) {
	bin := node.Build(t)
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); crashRollout(t, bin) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); crashRollout(t, bin, "DATABASE_URL="+pgtest.Database(t, nil)) })
}

const (
	patience    = 6000 * time.Millisecond // for a decision, which a server makes five seconds after its start
	thinkLonger = 6                       // each so many kills there is time for one
)

// boards are those of a fleet, and what they have run, one after the other.
type boards struct {
	mu  sync.Mutex
	ran map[string][]uint32
}

func (b *boards) hear(h simulate.Happened) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.What == simulate.Booted {
		b.ran[h.Device] = append(b.ran[h.Device], h.Code)
	}
}

// updated counts how often a board has started with version code 2.
func (b *boards) updated() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, codes := range b.ran {
		n += len(slices.DeleteFunc(slices.Clone(codes), func(code uint32) bool { return code != 2 }))
	}
	return n
}

func crashRollout(t *testing.T, bin string, env ...string) {
	kills := int(testkit.Setting(t, "CRASH_KILLS", 8))
	seed := testkit.Setting(t, "CRASH_SEED", uint64(time.Now().UnixNano()))
	t.Logf("%d kills, repeat with CRASH_SEED=%d", kills, seed)
	rng := rand.New(rand.NewPCG(seed, seed))
	mqtt := fmt.Sprint("127.0.0.1:", node.Port(t))
	s := newServer(t, bin, append(env, "UNHIDRA_MQTT_ADDR="+mqtt)...)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(kills)*20*time.Second)
	defer cancel()
	people, _ := traffic.Settle(ctx, t, 1, s.URL())
	c := &course{t: t, owner: people[0], ended: map[string]time.Time{}}
	m := firmwaretest.New(t, c.owner)
	release := m.Publish(board.Firmware{Code: 2, Padding: 30 << 10})
	b := &boards{ran: map[string][]uint32{}}
	devices := c.register(2 * kills)
	f, err := simulate.New(simulate.Options{Server: s.URL(), MQTT: "mqtt://" + mqtt, Devices: devices, Seed: seed,
		Every: time.Second, Backoff: 300 * time.Millisecond, Firmware: &simulate.Firmware{Root: m.Root,
			Factory: m.Build(board.Firmware{Code: 1}), Within: time.Hour, Hear: b.hear,
			Models: func(int) simulate.Model { return simulate.Model{Revision: 1, Slot: 64 << 10} }}})
	if err != nil {
		t.Fatal(err)
	}
	running, end := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() { defer close(gone); f.Run(running) }()
	defer func() { end(); <-gone }()
	c.begin(m, release, kills)
	for i := range kills {
		if c.look(ctx) == "completed" {
			t.Fatalf("the rollout was complete before kill %d", i+1)
		}
		moment := time.Duration(rng.Int64N(int64(time.Second))) // the random moment is the point
		if i%thinkLonger == thinkLonger-1 {
			moment += patience
		}
		<-time.After(moment)
		s.Kill()
		s.Start()
		traffic.Wait(ctx, t, "the server is ready", func() bool { return s.Ready(ctx) })
	}
	t.Logf("after the kills boards have started with the release %d times, and %d updates have ended", b.updated(),
		len(c.ended))
	traffic.Wait(ctx, t, "the rollout is complete", func() bool { return c.look(ctx) == "completed" })
	c.check(ctx, devices, b)
}

// course is that of a rollout.
type course struct {
	t       testing.TB
	owner   *client.Client
	rollout string
	ended   map[string]time.Time // when each update ended that has
}

func (c *course) register(n int) (devices []simulate.Identity) {
	for i := range n {
		var made struct {
			Device struct{ ID string }
			Key    string
		}
		name := fmt.Sprint("board ", i)
		if err := c.owner.Do(c.t.Context(), "POST", "/devices", map[string]any{"name": name}, &made); err != nil {
			c.t.Fatal(err)
		}
		devices = append(devices, simulate.Identity{ID: made.Device.ID, Name: name, Key: made.Key})
	}
	return devices
}

// begin brings a release to four boards, and then to all: first to four at a time, and then to more so slowly that it
// lasts for so many kills.
func (c *course) begin(m *firmwaretest.Maker, release string, kills int) {
	var r firmwaretest.Rollout
	m.Do("POST", "/rollouts", map[string]any{"release": release, "plan": map[string]any{
		"stages":   []map[string]any{{"percent": 0, "at_least": 4}, {"percent": 100}},
		"limits":   map[string]any{"begin": 4, "growth": 8 / float64(kills), "per_minute": 100_000},
		"timeouts": map[string]any{"confirm": 1}, "judge": map[string]any{"samples": 1}}}, &r)
	c.rollout = r.ID
}

type update struct {
	ID, Device, State string
	EndedAt           time.Time `json:"ended_at"`
}

// look returns the state of the rollout, and holds that updates that have ended are left as they are.
func (c *course) look(ctx context.Context) (state string) {
	c.t.Helper()
	var r firmwaretest.Rollout
	if c.owner.Do(ctx, "GET", "/firmware/rollouts/"+c.rollout, nil, &r) != nil {
		return "" // its connection has ended with the server
	}
	var all client.Page[update]
	if c.owner.Do(ctx, "GET", "/firmware/rollouts/"+c.rollout+"/updates?limit=500", nil, &all) != nil {
		return ""
	}
	for _, u := range all.Items {
		was, known := c.ended[u.ID]
		switch {
		case known && !u.EndedAt.Equal(was):
			c.t.Errorf("the update of %s, which had ended at %v, is %s and ended at %v", u.Device, was, u.State, u.EndedAt)
		case u.State == "succeeded":
			c.ended[u.ID] = u.EndedAt
		case !u.EndedAt.IsZero():
			c.t.Errorf("the update of %s is %s", u.Device, u.State)
		}
	}
	return r.State
}

func (c *course) check(ctx context.Context, devices []simulate.Identity, b *boards) {
	c.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range devices {
		if !slices.Equal(b.ran[d.ID], []uint32{1, 2}) {
			c.t.Errorf("%s has run version codes %v, one after the other", d.Name, b.ran[d.ID])
		}
	}
	var all client.Page[update]
	if err := c.owner.Do(ctx, "GET", "/firmware/rollouts/"+c.rollout+"/updates?limit=500", nil, &all); err != nil {
		c.t.Fatal(err)
	}
	of := map[string]int{}
	for _, u := range all.Items {
		of[u.Device]++
	}
	if len(all.Items) != len(devices) || len(of) != len(devices) || len(c.ended) != len(devices) {
		c.t.Errorf("%d boards have %d updates, of %d boards; %d have succeeded", len(devices), len(all.Items), len(of),
			len(c.ended))
	}
	var log client.Page[struct{ What string }]
	if err := c.owner.Do(ctx, "GET", "/firmware/rollouts/"+c.rollout+"/log", nil, &log); err != nil {
		c.t.Fatal(err)
	}
	what := map[string]int{}
	for _, e := range log.Items {
		what[e.What]++
	}
	// The last stage is watched only if boards are in the middle of it when all were offered the release.
	soaked := what["soaking"]
	delete(what, "soaking")
	want := map[string]int{"created": 1, "running": 1, "stage": 1, "completed": 1}
	if soaked > 2 || !maps.Equal(what, want) {
		c.t.Errorf("its log is %v, with the stages watched %d times, and should be %v", what, soaked, want)
	}
}
