package device_test

import (
	"io"
	"sync/atomic"
	"testing"

	"github.com/unhidra/unhidra/client/device"
	"github.com/unhidra/unhidra/internal/delta"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretest"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// Where devices run a release, a patch from it to the next one is made, and devices make the image of that.
func TestADeviceMakesAnImageOfAPatch(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start(firmwaretest.Quick)
		ctx, ann := t.Context(), s.User("ann")
		m := firmwaretest.New(t, ann)
		first := board.Firmware{Code: 1, Padding: 40 << 10, Seed: "lamp"}
		m.Publish(first)
		b, err := board.New(board.Model{Revision: 1, Slot: 128 << 10}, m.Build(first))
		must(t, err)
		must(t, b.Boot(domain.ResetPowerOn))
		var made struct {
			Key    string
			Device struct{ ID string }
		}
		must(t, ann.Do(ctx, "POST", "/devices", map[string]any{"name": "lamp"}, &made))
		restart := make(chan struct{}, 1)
		var patched atomic.Int64
		apply := func(base io.ReaderAt, size int64, patch io.Reader, out io.Writer) error {
			patched.Add(1)
			return delta.Apply(base, size, patch, out)
		}
		options := device.Options{Server: s.URL, Key: made.Key, Dir: t.TempDir(),
			Firmware: &device.Firmware{Board: b, Root: m.Root, Restart: func() { restart <- struct{}{} },
				Patches: map[string]device.Patch{delta.Format: apply}}}
		_, stop := running(t, options)
		wait(t, "the device says what it runs", func() bool {
			return ann.Do(ctx, "GET", "/devices/"+made.Device.ID+"/firmware", nil, nil) == nil
		})

		second := m.Publish(board.Firmware{Code: 2, Padding: 40 << 10, Seed: "lamp"})
		var r struct {
			Images []struct {
				Size   int64
				Deltas []struct{ Size int64 }
			}
		}
		wait(t, "a patch is made", func() bool {
			must(t, ann.Do(ctx, "GET", "/firmware/releases/"+second, nil, &r))
			return len(r.Images[0].Deltas) == 1
		})
		if i := r.Images[0]; i.Deltas[0].Size == 0 || i.Deltas[0].Size > i.Size/4 {
			t.Errorf("the patch has %d bytes, and the image %d", i.Deltas[0].Size, i.Size)
		}
		roll := m.Bring(second, "")
		<-restart
		stop()
		must(t, b.Boot(domain.ResetSoftware))
		_, stop = running(t, options)
		m.Await(roll.ID, "the device has the release", func(r firmwaretest.Rollout) bool {
			return r.Counts.States["succeeded"] == 1
		})
		stop()
		if patched.Load() != 1 || b.Running().VersionCode != 2 {
			t.Errorf("%d patches were applied, and it runs %+v", patched.Load(), b.Running())
		}
	})
}
