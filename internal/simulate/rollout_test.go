package simulate_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/simulate"
	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretest"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// Fifty devices, by WebSocket and by MQTT, by windows: a good release reaches all of them, and they confirm it.
// One that crashes pauses its rollout by itself in the canary; the devices that had it are back on the old one, by
// themselves.
func TestAFleetIsUpdated(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		t.Parallel()
		updateFleet(t, live.Start(t, o, firmwaretest.Quick))
	})
}

func updateFleet(t *testing.T, s *live.Server) {
	const size, small, canary = 50, 49, 10 // the last device has no room for the image
	root := client.New(s.URL)
	_, setup, _ := strings.Cut(s.Setup, "#token=")
	if err := root.Register(t.Context(), client.Registration{Username: "root", Password: live.Password,
		SetupToken: setup}); err != nil {
		t.Fatal(err)
	}
	ann := s.User("ann")
	m := firmwaretest.New(t, ann)
	devices := register(t, ann, size)
	first := map[string]bool{}
	for _, d := range devices[:canary] {
		first[d.ID] = true
		tags := map[string]any{"tags": []string{"canary"}}
		if err := ann.Do(t.Context(), "PATCH", "/devices/"+d.ID, tags, nil); err != nil {
			t.Fatal(err)
		}
	}
	codes := make(chan simulate.Happened, 100*size)
	f, err := simulate.New(simulate.Options{Server: s.URL, MQTT: "mqtt://" + s.MQTT, Devices: devices,
		Seed: 7, Every: time.Second, Backoff: 300 * time.Millisecond, Firmware: &simulate.Firmware{Root: m.Root,
			Factory: m.Build(board.Firmware{Code: 1}), Hear: func(h simulate.Happened) { codes <- h },
			Models: func(n int) simulate.Model {
				if n == small {
					return simulate.Model{Revision: 1, Slot: 16 << 10}
				}
				return simulate.Model{Revision: 1, Slot: 64 << 10}
			}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() { defer close(gone); f.Run(ctx) }()
	defer func() { cancel(); <-gone }()

	good := m.Bring(m.Publish(board.Firmware{Code: 2, Padding: 20 << 10}), "")
	m.Await(good.ID, "all devices have the good release that have room for it", func(r firmwaretest.Rollout) bool {
		return r.Counts.States["succeeded"] == size-1 && r.Counts.States["rejected"] == 1 && r.State != "paused"
	})
	for device, code := range running(codes) {
		if code != 2 && device != devices[small].ID {
			t.Errorf("%s runs version code %d", device, code)
		}
	}
	bad := m.Bring(m.Publish(board.Firmware{Code: 3, Does: board.Does{FailsOn: 100}}), "canary")
	r := m.Await(bad.ID, "the bad release is paused", func(r firmwaretest.Rollout) bool { return r.State == "paused" })
	if r.Pause == nil || r.Pause.Kind != "failures" || r.Stage != 0 || r.Counts.Failed == 0 || r.Counts.Failed > canary {
		t.Errorf("%+v, %+v", r, r.Pause)
	}
	m.Await(bad.ID, "the devices are back", func(r firmwaretest.Rollout) bool { return r.Open() == 0 })
	had := running(codes)
	for device, code := range had {
		if code != 2 || !first[device] {
			t.Errorf("after the bad release, %s runs version code %d; it is of the canary: %t", device, code, first[device])
		}
	}
	if len(had) == 0 {
		t.Error("no device had the bad release")
	}
	var crashes struct{ Items []struct{ Count int } }
	m.Do("GET", "/products/"+m.Product+"/crashes", nil, &crashes)
	if len(crashes.Items) != 1 {
		t.Errorf("crashes are %+v", crashes)
	}
	var log struct {
		Records []struct{ Details map[string]string }
	}
	if err := root.Do(t.Context(), "GET", "/admin/audit?type=firmware.update_rejected", nil, &log); err != nil {
		t.Fatal(err)
	}
	if len(log.Records) != 1 || !strings.HasPrefix(log.Records[0].Details["reason"], "wrong_size: ") {
		t.Errorf("what the device refused is audited as %+v", log.Records)
	}
}

// Devices that connect and disconnect all the time are updated all the same: half of them flap until they have the
// release, and the other half, on another revision, with it alone.
func TestAFleetThatFlapsIsUpdated(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		t.Parallel()
		const size, before, after = 8, 3, 4 // the revisions
		s := live.Start(t, o, firmwaretest.Quick)
		ann := s.User("ann")
		m := firmwaretest.New(t, ann)
		flaps := func(revision uint16) board.Does {
			return board.Does{FailsOn: 100, Revision: revision, How: board.FlapsOut}
		}
		f, err := simulate.New(simulate.Options{Server: s.URL, MQTT: "mqtt://" + s.MQTT, Devices: register(t, ann, size),
			Seed: 7, Every: time.Second, Backoff: 100 * time.Millisecond, Firmware: &simulate.Firmware{Root: m.Root,
				Factory: m.Build(board.Firmware{Code: 1, Does: flaps(before)}), Crash: time.Second,
				Models: func(n int) simulate.Model {
					return simulate.Model{Revision: before + uint16(n%2), Slot: 64 << 10}
				}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan struct{})
		go func() { defer close(gone); f.Run(ctx) }()
		defer func() { cancel(); <-gone }()
		r := m.Bring(m.Publish(board.Firmware{Code: 2, Padding: 40 << 10, Does: flaps(after)}), "")
		r = m.Await(r.ID, "all devices have the release", func(r firmwaretest.Rollout) bool {
			return r.Counts.States["succeeded"] == size || r.State == "paused"
		})
		if r.State == "paused" || r.Counts.Failed > 0 {
			t.Errorf("it is %s, and %d have failed: %+v", r.State, r.Counts.Failed, r.Pause)
		}
	})
}

// running returns what the devices run of which something was heard since the last call.
func running(heard <-chan simulate.Happened) map[string]uint32 {
	run := map[string]uint32{}
	for {
		select {
		case h := <-heard:
			run[h.Device] = h.Code
		default:
			return run
		}
	}
}
