package device_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/client/device"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretest"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// loader loads files, and counts them.
type loader struct{ asked, failed atomic.Int64 }

func (l *loader) RoundTrip(r *http.Request) (*http.Response, error) {
	l.asked.Add(1)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || res.StatusCode != http.StatusPartialContent {
		l.failed.Add(1)
	}
	return res, err
}

// registered registers a device, and returns its key.
func registered(t *testing.T, owner *client.Client) string {
	t.Helper()
	var made struct{ Key string }
	must(t, owner.Do(t.Context(), "POST", "/devices", map[string]any{"name": "lamp"}, &made))
	return made.Key
}

// A device in Go is updated by a rollout: it restarts once, and confirms what it then runs. Of one that fails its own
// test it goes back, restarts a second time, and says so.
func TestADeviceInGoIsUpdated(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), firmwaretest.Quick)
	ann := s.User("ann")
	m := firmwaretest.New(t, ann)
	b, err := board.New(board.Model{Revision: 1, Slot: 64 << 10}, m.Build(board.Firmware{Code: 1}))
	must(t, err)
	must(t, b.Boot(domain.ResetPowerOn))
	restart := make(chan struct{}, 1)
	files := &loader{}
	options := device.Options{Server: s.URL, Key: registered(t, ann), Dir: t.TempDir(),
		Firmware: &device.Firmware{Board: b, Root: m.Root, Restart: func() { restart <- struct{}{} },
			HTTP: &http.Client{Transport: files}}}
	var fails atomic.Bool
	options.Firmware.SelfTest = func(context.Context) error {
		if fails.Load() {
			return errors.New("the lamp stays dark")
		}
		return nil
	}
	_, stop := running(t, options)
	restarts := func() {
		<-restart
		stop()
		must(t, b.Boot(domain.ResetSoftware))
		_, stop = running(t, options)
	}
	good := m.Bring(m.Publish(board.Firmware{Code: 2, Padding: 20 << 10}), "")
	restarts()
	m.Await(good.ID, "the device has the release", func(r firmwaretest.Rollout) bool {
		return r.Counts.States["succeeded"] == 1
	})
	fails.Store(true)
	bad := m.Bring(m.Publish(board.Firmware{Code: 3, Padding: 20 << 10}), "")
	restarts()
	restarts()
	m.Await(bad.ID, "the device is back", func(r firmwaretest.Rollout) bool { return r.Counts.Failed == 1 })
	stop()
	if files.asked.Load() != 2 || files.failed.Load() != 0 {
		t.Errorf("images were asked for %d times over HTTP, in vain %d times", files.asked.Load(), files.failed.Load())
	}
	if r := b.Running(); r.VersionCode != 2 || r.Slot != domain.SlotValid {
		t.Errorf("the board runs %+v", r)
	}
}

// A device that is made with something else than the first root of its product does not start.
func TestADeviceNeedsTheFirstRoot(t *testing.T) {
	t.Parallel()
	b, err := board.New(board.Model{Slot: 64 << 10}, firmwaretest.Image(t, board.Firmware{Code: 1}))
	must(t, err)
	for _, root := range []string{"", "{}",
		`{"payloadType":"application/vnd.unhidra.root+json","payload":"e30=","signatures":[]}`} {
		_, err := device.Open(device.Options{Server: "http://127.0.0.1:1", Key: "dk_x", Dir: t.TempDir(),
			Firmware: &device.Firmware{Board: b, Root: []byte(root), Restart: func() {}}})
		if err == nil {
			t.Errorf("a device is made with the root %q", root)
		}
	}
}
