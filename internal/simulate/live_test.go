package simulate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/simulate"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

// witness keeps what a fleet was told.
type witness struct {
	mu       sync.Mutex
	acked    map[string][]wire.ReportItem
	commands map[string]int // how often each was carried out
}

func (w *witness) acknowledged(device string, _ uint64, r wire.ReportItem) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked[device] = append(w.acked[device], r)
}

func (w *witness) command(_ string, c wire.Command) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commands[c.ID]++
}

func register(t *testing.T, owner *client.Client, n int) (devices []simulate.Identity) {
	t.Helper()
	for i := range n {
		var made struct {
			Device struct{ ID string }
			Key    string
		}
		name := fmt.Sprint("node ", i)
		if err := owner.Do(t.Context(), http.MethodPost, "/devices", map[string]any{"name": name}, &made); err != nil {
			t.Fatal(err)
		}
		devices = append(devices, simulate.Identity{ID: made.Device.ID, Name: name, Key: made.Key})
	}
	return devices
}

// stored returns how often the server has a reading of each time and sensor of a device.
func stored(t *testing.T, s *live.Server, owner *client.Client, device string) map[string]int {
	t.Helper()
	span := url.Values{"format": {"jsonl"}, "from": {time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)},
		"to": {time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		s.URL+"/api/v1/devices/"+device+"/readings/export?"+span.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+owner.Tokens().Access)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the export was answered with %s", res.Status)
	}
	have := map[string]int{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		var r struct {
			Time   time.Time
			Series string
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		have[r.Time.Format(time.RFC3339Nano)+" "+r.Series]++
	}
	return have
}

// A fleet with bad networks, power cuts, wrong and hostile devices: what was acknowledged is there
// once, a command is carried out once, and no attack goes through.
func TestAFleetIsServed(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		t.Parallel()
		serveFleet(t, live.Start(t, o))
	})
}

func serveFleet(t *testing.T, s *live.Server) {
	ann := s.User("ann")
	devices, told := register(t, ann, 40), register(t, ann, 1)
	w := witness{acked: map[string][]wire.ReportItem{}, commands: map[string]int{}}
	o := simulate.Options{Server: s.URL, MQTT: "mqtt://" + s.MQTT, Devices: devices, Seed: 3,
		Mix: simulate.Mix{Troubled: 40, Wrong: 15, Hostile: 15}, Every: 50 * time.Millisecond, Steps: 60,
		History: 3 * time.Minute, Backoff: 300 * time.Millisecond, OnAcknowledged: w.acknowledged}
	f, err := simulate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	// One that stays until it was told something: a device that has left gets no command.
	o.Devices, o.Mix, o.Every, o.Steps = told, simulate.Mix{Troubled: 100}, time.Second, 0
	o.OnAcknowledged, o.OnCommand = nil, w.command
	stays, err := simulate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	done := make(chan wire.Command, 1)
	go func() {
		defer stays.Stop()
		done <- obeyed(ctx, ann, wire.NewCommand{Device: told[0].ID, Key: "k1", Action: "fan",
			Args: map[string]any{"on": true}, ExpiresIn: 300})
	}()
	var running sync.WaitGroup
	running.Go(func() { stays.Run(ctx) })
	f.Run(ctx)
	running.Wait()
	if c := <-done; c.State != "done" || w.commands[c.ID] != 1 {
		t.Errorf("the command is %s, and was carried out %d times: %s", c.State, w.commands[c.ID], c.Error)
	}
	got := f.Stats()
	t.Log(got)
	if got.Faults == 0 || got.Refused["not_finite"] == 0 || got.Waiting > 0 {
		t.Error("a fleet with troubles has some, and in the end nothing waits")
	}
	repelled := 0
	for what, n := range got.Attacks {
		if strings.HasSuffix(what, "let through") || strings.HasSuffix(what, "not answered") {
			t.Errorf("%s, %d times", what, n)
		}
		if strings.HasSuffix(what, "repelled") {
			repelled += n
		}
	}
	if repelled < 10 {
		t.Errorf("%d attacks were tried", repelled)
	}
	forgetful := 0
	for i, p := range f.Plans() {
		if p.Conduct == simulate.Wrong {
			continue
		}
		n := w.check(t, p, devices[i].ID, stored(t, s, ann, devices[i].ID))
		if !p.Flash {
			forgetful += n
		}
	}
	if forgetful == 0 { // any one of them may lose its power each time before it was heard
		t.Error("nothing is stored of the devices that forget without power")
	}
}

// check compares what a device was told with what the server has: of clocks that were never set, or
// are ahead, the server corrects the times, and so the number alone. It returns how many readings the server has.
func (w *witness) check(t *testing.T, p simulate.Plan, device string, have map[string]int) (n int) {
	t.Helper()
	want, total := map[string]int{}, 0
	for _, r := range w.acked[device] {
		for name := range r.Readings {
			want[r.At.Format(time.RFC3339Nano)+" "+name]++
			total++
		}
	}
	for _, times := range have {
		n += times
	}
	// A device that forgets without power may not hear that the server has stored a report.
	if n < total || p.Flash && (n > total || n == 0) {
		t.Errorf("%v: %d readings were acknowledged, and %d are stored", p, total, n)
	}
	if p.Conduct == simulate.Steady && p.Ahead <= 0 && !maps.Equal(have, want) {
		t.Errorf("%v: the server has other readings than were acknowledged", p)
	}
	return n
}

// obeyed gives a command as soon as the device has said what it can do, and waits for its end.
func obeyed(ctx context.Context, owner *client.Client, n wire.NewCommand) (c wire.Command) {
	path := "/devices/" + n.Device + "/commands"
	for ctx.Err() == nil && c.ID == "" {
		body := map[string]any{"key": n.Key, "action": n.Action, "args": n.Args, "expires_in": n.ExpiresIn}
		if err := owner.Do(ctx, http.MethodPost, path, body, &c); err != nil {
			c.Error = err.Error() // the device may not have said yet what it can do
		}
		time.Sleep(20 * time.Millisecond)
	}
	for ctx.Err() == nil && c.State != "done" && c.State != "failed" && c.State != "expired" {
		time.Sleep(20 * time.Millisecond)
		_ = owner.Do(ctx, http.MethodGet, path+"/"+c.ID, nil, &c)
	}
	return c
}
