//go:build linux

package drills

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/simulate"
	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretest"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// A deployment is a server on SQLite with devices of user0.
type deployment struct {
	*testing.T
	*node.Node
	ctx      context.Context
	bin      string
	settings []string
	mqtt     string
	owner    *client.Client
	people   []*client.Client
	room     string
}

func deploy(t *testing.T, settings ...string) *deployment {
	t.Helper()
	d := &deployment{T: t, ctx: drill(t), bin: node.Build(t), mqtt: fmt.Sprint("127.0.0.1:", node.Port(t))}
	d.settings = append(settings, "UNHIDRA_DATA_DIR="+t.TempDir(), "UNHIDRA_MQTT_ADDR="+d.mqtt,
		"UNHIDRA_DEVICES_PER_USER=2000")
	d.Node = serve(d.ctx, t, d.bin, d.settings...)
	d.people, d.room = traffic.Settle(d.ctx, t, 2, d.URL())
	d.owner = d.people[0]
	return d
}

// importDevices registers devices by a file, or gives those with no key left another, and returns them with their keys.
func (d *deployment) importDevices(n int, flags ...string) (devices []simulate.Identity) {
	d.Helper()
	var lines strings.Builder
	lines.WriteString("name,serial,tags\n")
	for i := range n {
		fmt.Fprintf(&lines, "Sensor %d,S-%d,batch-7\n", i, i)
	}
	dir := d.TempDir()
	fleet, keys := filepath.Join(dir, "fleet.csv"), filepath.Join(dir, "keys.csv")
	must(d.T, os.WriteFile(fleet, []byte(lines.String()), 0o600))
	command(d.T, d.bin, d.settings, append([]string{"device", "import", "user0", fleet, "--keys", keys}, flags...)...)
	f, err := os.Open(keys)
	must(d.T, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	must(d.T, err)
	for _, row := range rows[1:] { // line, result, name, serial, device, key, error
		if row[5] == "" {
			d.Fatalf("%s has no key: %q", row[2], row)
		}
		devices = append(devices, simulate.Identity{ID: row[4], Name: row[2], Key: row[5]})
	}
	return devices
}

// connect has devices measure until the test ends, or stop is called.
func (d *deployment) connect(devices []simulate.Identity, o simulate.Options) (stop func()) {
	d.Helper()
	o.Server, o.MQTT, o.Devices, o.Seed = d.URL(), "mqtt://"+d.mqtt, devices, 1
	f, err := simulate.New(o)
	must(d.T, err)
	ctx, cancel := context.WithCancel(d.ctx)
	gone := make(chan struct{})
	go func() { defer close(gone); f.Run(ctx) }()
	stop = func() { cancel(); <-gone }
	d.Cleanup(stop)
	return stop
}

// connected waits until so many devices are connected.
func (d *deployment) connected(n int) {
	d.Helper()
	traffic.Wait(d.ctx, d.T, fmt.Sprint(n, " devices are connected"), func() bool {
		m, err := d.Metrics(d.ctx)
		return err == nil && m["device_connected"] == float64(n)
	})
}

// The keys of a whole batch of devices have leaked. All of them end at once, whoever has one is put out, other devices
// and people notice nothing, and the devices get new keys.
func TestRevokeAThousandDevices(t *testing.T) {
	t.Parallel()
	n := int(testkit.Setting(t, "DRILL_DEVICES", 60))
	d := deploy(t)
	devices := d.importDevices(n)
	other := strings.Fields(command(t, d.bin, d.settings, "device", "register", "user0", "Other"))
	rule := map[string]any{"rule": map[string]any{"tag": "batch-7"}}
	must(t, d.owner.Do(d.ctx, "PUT", "/device-groups/batch-7", rule, nil))
	begin := time.Now()
	stop := d.connect(append(devices, simulate.Identity{ID: other[0], Name: "Other", Key: other[len(other)-1]}),
		simulate.Options{Every: 5 * time.Second, Backoff: time.Second, Dial: simulate.Spread()})
	d.connected(n + 1)
	took(t, fmt.Sprintf("revoke a thousand: %d devices are connected after", n), time.Since(begin))
	f := traffic.Start(d.ctx, t, d.people, d.room, usual)
	f.AwaitAll()

	seen := command(t, d.bin, d.settings, "device", "revoke-keys", "user0", "batch-7")
	if want := fmt.Sprintf("%d devices with %d keys, of which %d are connected.", n, n, n); !strings.Contains(seen, want) {
		t.Errorf("it says %q", seen)
	}
	begin = time.Now()
	done := command(t, d.bin, d.settings, "device", "revoke-keys", "user0", "batch-7", "--yes")
	took(t, fmt.Sprintf("revoke a thousand: the keys of %d devices are revoked, and none is connected, after", n),
		time.Since(begin))
	if !strings.Contains(done, "revoked\n") || !strings.Contains(done, "none of them is connected") {
		t.Errorf("it says %q", done)
	}
	d.connected(1)
	var left struct{ Devices, Keys, Connected int }
	must(t, d.owner.Do(d.ctx, "POST", "/devices/revoke-keys", map[string]any{"group": "batch-7"}, &left))
	if left.Devices+left.Keys+left.Connected > 0 {
		t.Errorf("there are still %+v", left)
	}
	if isLetIn(d.ctx, d.Node, devices[0].Key) || isLetIn(d.ctx, d.Node, devices[n-1].Key) {
		t.Error("a leaked key still opens the server")
	}
	f.AwaitAll()

	stop()
	begin = time.Now()
	renewed := d.importDevices(n, "--new-keys")
	took(t, fmt.Sprintf("revoke a thousand: %d devices have new keys after", n), time.Since(begin))
	if renewed[0].ID != devices[0].ID || renewed[0].Key == devices[0].Key {
		t.Errorf("%+v was renewed as %+v", devices[0], renewed[0])
	}
	begin = time.Now()
	d.connect(renewed, simulate.Options{Every: 5 * time.Second, Dial: simulate.Spread()})
	d.connected(n)
	took(t, fmt.Sprintf("revoke a thousand: %d devices are connected with them after", n), time.Since(begin))
	f.Stop()
	f.Check(d.people[0])
}

// At night a build turns out to crash on one revision of the hardware, and the one after it on all. Each rollout pauses
// by itself before many have it, and in the morning it is decided what becomes of it, from the command line.
func TestABadBuildAtNight(t *testing.T) {
	t.Parallel()
	const size, odd, revision = 40, 10, 102
	d := deploy(t, firmwaretest.Quick)
	m := firmwaretest.New(t, d.owner)
	devices := d.importDevices(size)
	d.connect(devices, simulate.Options{Every: time.Second, Backoff: 300 * time.Millisecond,
		Firmware: &simulate.Firmware{Root: m.Root, Factory: m.Build(board.Firmware{Code: 1}), Within: time.Hour,
			Models: func(n int) simulate.Model {
				if n%(size/odd) == 0 {
					return simulate.Model{Revision: revision, Slot: 64 << 10}
				}
				return simulate.Model{Revision: 1, Slot: 64 << 10}
			}}})
	d.connected(size)
	token := strings.TrimSpace(command(t, d.bin, d.settings, "token", "issue", "user0"))
	rollout := func(words ...string) string {
		t.Helper()
		return command(t, d.bin, append(d.settings, "UNHIDRA_TOKEN="+token),
			append([]string{"firmware", "rollout", "--server", d.URL()}, words...)...)
	}
	begin := time.Now()
	partly := night(d, m, board.Firmware{Code: 2, Does: board.Does{FailsOn: 100, Revision: revision}})
	took(t, "a bad build: the rollout has paused after", time.Since(begin))
	if v := partly.Pause.Revision; v == nil || v.Revision != revision {
		t.Errorf("it does not name the revision: %+v", partly.Pause)
	}
	if said := rollout("show", partly.ID); !strings.Contains(said, "esp32c3:102") {
		t.Errorf("show says %q", said)
	}
	begin = time.Now()
	rollout("exclude", "--revision", "esp32c3:102", "--resume", partly.ID)
	m.Await(partly.ID, "all others have it", func(r firmwaretest.Rollout) bool {
		return r.Counts.States["succeeded"] == size-odd && r.State == "completed"
	})
	took(t, "a bad build: without the revision, all others have it after", time.Since(begin))

	bad := night(d, m, board.Firmware{Code: 3, Does: board.Does{FailsOn: 100}})
	begin = time.Now()
	rollout("abort", bad.ID)
	r := m.Await(bad.ID, "no device is in the middle of it", func(r firmwaretest.Rollout) bool { return r.Open() == 0 })
	took(t, "a bad build: it is aborted, and all devices are back, after", time.Since(begin))
	if r.State != "aborted" || r.Counts.States["succeeded"] > 0 || r.Counts.Failed > size/4 {
		t.Errorf("it ends as %+v", r)
	}
	begin = time.Now()
	mended := m.Bring(m.Publish(board.Firmware{Code: 4}), "")
	m.Await(mended.ID, "all have the mended build", func(r firmwaretest.Rollout) bool {
		return r.Counts.States["succeeded"] == size
	})
	took(t, "a bad build: all devices have the mended one after", time.Since(begin))
}

// night brings a bad build to the devices until it has paused by itself, which an alert is about.
func night(d *deployment, m *firmwaretest.Maker, f board.Firmware) (r firmwaretest.Rollout) {
	d.Helper()
	m.Do("POST", "/rollouts", map[string]any{"release": m.Publish(f), "plan": map[string]any{
		"stages":   []map[string]any{{"percent": 50}, {"percent": 100}},
		"timeouts": map[string]any{"confirm": 1}}}, &r)
	r = m.Await(r.ID, "it pauses by itself", func(r firmwaretest.Rollout) bool { return r.State == "paused" })
	metrics, err := d.Metrics(d.ctx)
	must(d.T, err)
	if r.Pause == nil || r.Pause.Kind == "user" || metrics["rollout_paused"] != 1 {
		d.Fatalf("it paused as %+v; the metric is %v", r.Pause, metrics["rollout_paused"])
	}
	return r
}
