package firmware

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/simulate"
	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretest"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// size is a number from the environment, for make fleet-agents, or what make test has.
func size(t *testing.T, name string, otherwise int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(otherwise)))
	must(t, err)
	return n
}

// A victim is an agent that is killed and started again all the time, until calm is set; then it lives.
type victim struct {
	lamp
	calm  *atomic.Bool
	kills int
}

// live runs it until the context ends. Like a board it starts again whenever it ends.
func (v *victim) live(ctx context.Context, seed uint64) {
	chance := rand.New(rand.NewPCG(seed, 7))
	for ctx.Err() == nil {
		v.start("--log", "16384")
		for ended := false; !ended; {
			select {
			case <-ctx.Done():
				v.now.stop()
				return
			case err := <-v.now.done:
				if code := v.now.cmd.ProcessState.ExitCode(); code >= 0 && code != restarts {
					v.t.Errorf("an agent ended with %d, %v: %q", code, err, v.now.said())
				}
				v.now.done, ended = nil, true
			case <-time.After(time.Duration(300+chance.IntN(2500)) * time.Millisecond):
				if v.calm.Load() {
					continue
				}
				v.kills++
				_ = v.now.cmd.Process.Kill() // wherever it is: connecting, downloading, writing to its flash
			}
		}
	}
}

// A release reaches agents, which are the firmware itself, and simulated devices beside them, while the agents are
// killed and started again throughout. An agent that is killed after it has started the release, and before it has
// confirmed it, goes back to what it ran, as a board does, and says so; a second rollout reaches it once there is calm.
func TestAFleetOfAgentsIsUpdated(t *testing.T) {
	t.Parallel()
	agents, simulated := size(t, "UNHIDRA_AGENTS", 4), size(t, "UNHIDRA_SIMULATED", 30)
	program(t)
	s := live.Start(t, testkit.SQLite(t), firmwaretest.Quick,
		fmt.Sprintf("UNHIDRA_DEVICES_PER_USER=%d", agents+simulated))
	ann := s.User("ann")
	m := firmwaretest.New(t, ann)
	model := newLampOf(t, s, m, device{})
	began := time.Now()

	var identities []simulate.Identity
	var ids []string
	for range simulated {
		d := registered(t, ann)
		identities, ids = append(identities, simulate.Identity{ID: d.id, Key: d.key}), append(ids, d.id)
	}
	f, err := simulate.New(simulate.Options{Server: s.URL, Devices: identities, Seed: 7, Every: time.Minute,
		Backoff: time.Second, Firmware: &simulate.Firmware{Root: m.Root, Factory: m.Build(board.Firmware{Code: 1}),
			Models: func(int) simulate.Model { return simulate.Model{Revision: 1, Slot: 64 << 10} }}})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	calm, running := &atomic.Bool{}, make(chan struct{}, agents+1)
	go func() { f.Run(ctx); running <- struct{}{} }()
	victims := make([]*victim, agents)
	for i := range victims {
		v := &victim{lamp: lamp{t: t, s: s, d: registered(t, ann), m: m, dir: t.TempDir(),
			options: slices.Concat(model.options, []string{"--confirm", "20000"})}, calm: calm}
		victims[i] = v
		go func() { v.live(ctx, uint64(i)); running <- struct{}{} }()
	}
	end := func() {
		if ctx.Err() == nil {
			cancel()
			for range agents + 1 {
				<-running
			}
		}
	}
	defer end()

	all, release := agents+simulated, m.Publish(board.Firmware{Code: 2, Padding: 30 << 10})
	first := m.Bring(release, "")
	r := m.Await(first.ID, "all devices have the release or are back, or the rollout is paused",
		func(r firmwaretest.Rollout) bool {
			return r.Counts.States["succeeded"]+r.Counts.Failed == all || r.State == "paused"
		})
	took := time.Since(began).Round(time.Second)
	var page struct {
		Items []struct{ Device, State, Reason string }
	}
	m.Do("GET", "/rollouts/"+first.ID+"/updates?limit=200", nil, &page)
	for _, u := range page.Items {
		killed := slices.ContainsFunc(victims, func(v *victim) bool { return v.d.id == u.Device })
		if u.State != "deferred" && u.Reason != "" && (!killed || !strings.HasPrefix(u.Reason, "rolled_back")) {
			t.Errorf("%+v", u)
		}
	}
	calm.Store(true)
	if r.Counts.States["succeeded"] < all {
		m.Do("POST", "/rollouts/"+first.ID+"/actions", map[string]any{"action": "abort"}, nil)
		m.Bring(release, "")
	}
	wait(t, "all devices run the release", func() bool {
		for _, id := range slices.Concat(ids, agentIDs(victims)) {
			var is struct{ Version string }
			if must(t, ann.Do(t.Context(), "GET", "/devices/"+id+"/firmware", nil, &is)); is.Version != "1.2.0" {
				return false
			}
		}
		return true
	})
	end()
	kills, starts := 0, 0
	for _, v := range victims {
		kills, starts = kills+v.kills, starts+v.starts
		v.now = nil
		v.start()
		v.now.hears("runs 1.2.0 2")
		v.now.hears("online")
		v.now.stop()
	}
	t.Logf("%d agents and %d simulated devices: after %v %d have the release, and %d are back; the rollout is %s. The "+
		"agents were killed %d times, and started %d. After %v all have the release", agents, simulated, took,
		r.Counts.States["succeeded"], r.Counts.Failed, r.State, kills, starts, time.Since(began).Round(time.Second))
	if kills == 0 {
		t.Error("no agent was ever killed")
	}
}

func agentIDs(all []*victim) (ids []string) {
	for _, v := range all {
		ids = append(ids, v.d.id)
	}
	return ids
}

// With UNHIDRA_FIRMWARE_IMAGES, which names what make firmware-image has made, a board takes the second real image for
// the first one, by a patch and as a whole.
func TestRealImagesAreRolledOut(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("UNHIDRA_FIRMWARE_IMAGES")
	if folder == "" {
		t.Skip("UNHIDRA_FIRMWARE_IMAGES names no images of make firmware-image: no real image is rolled out")
	}
	first, err := os.ReadFile(filepath.Join(folder, "1.0.0.bin"))
	must(t, err)
	second, err := os.ReadFile(filepath.Join(folder, "1.1.0.bin"))
	must(t, err)
	s := live.Start(t, testkit.SQLite(t), firmwaretest.Quick)
	ann := s.User("ann")
	m := firmwaretest.NewOf(t, ann, "unhidra-device")
	l := newLampOf(t, s, m, registered(t, ann))
	l.options = append(l.options, "--slot", strconv.Itoa(0x1c0000), "--image", filepath.Join(folder, "1.0.0.bin"))
	l.start()
	l.now.hears("runs 1.0.0 10000")
	l.now.hears("online")
	// The device runs a release before the patch is made.
	m.PublishImage(first, "1.0.0", 10000)
	release := m.PublishImage(second, "1.1.0", 10100)
	var known struct {
		Images []struct{ Deltas []struct{ Size int64 } }
	}
	wait(t, "a patch is made", func() bool {
		l.again()
		m.Do("GET", "/releases/"+release, nil, &known)
		return len(known.Images[0].Deltas) == 1
	})
	next := m.Bring(release, "")
	l.until(next.ID, "the device has the release", succeeded)
	var page struct{ Items []struct{ Size int64 } }
	m.Do("GET", "/rollouts/"+next.ID+"/updates", nil, &page)
	if len(page.Items) != 1 || page.Items[0].Size != known.Images[0].Deltas[0].Size {
		t.Errorf("it has loaded %+v, and the patch has %d bytes", page.Items, known.Images[0].Deltas[0].Size)
	}
	t.Logf("an image of %d bytes came as a patch of %d", len(second), page.Items[0].Size)
	l.now.stop()
	file := filepath.Join(l.dir, "flash")
	b, err := os.ReadFile(file)
	must(t, err)
	if !strings.Contains(string(b), string(second)) {
		t.Error("the image in its flash is another one")
	}
	l.now = nil
	l.start()
	l.now.hears("runs 1.1.0 10100")
}
