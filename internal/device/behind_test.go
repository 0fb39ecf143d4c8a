package device

import (
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// A device behind a bridge is there as long as the bridge is connected and does not say otherwise. A bridge that
// connects anew is no gap.
func TestDevicesBehindABridgeAreThereWithIt(t *testing.T) {
	t.Parallel()
	eachNode(t, func(t *testing.T, a, b *node, p domain.Principal) {
		made, err := a.Register(t.Context(), p.Owner, Registration{Name: "Zigbee", Access: domain.AccessBridge})
		if err != nil {
			t.Fatal(err)
		}
		bridge := domain.Principal{ID: made.Device.ID, Kind: domain.KindDevice, Key: made.KeyID, Owner: p.Owner,
			Access: domain.AccessBridge}
		var ids []string
		for _, key := range []string{"bed", "door", "lamp"} {
			c, err := a.Adopt(t.Context(), bridge, key, key)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, c.ID)
		}
		bed, door, lamp := ids[0], ids[1], ids[2]
		a.connect(t, "c1", bridge, "10.0.0.1")
		a.DevicesBehind("c1", map[string]bool{bed: true, door: false, lamp: true})
		a.is(t, bed, domain.DeviceOnline, 1)
		if s := a.is(t, door, domain.DeviceOffline, 0); s.Online {
			t.Errorf("a device that never was there is %+v", s)
		}
		a.DeviceAvailable("c1", door, true)
		a.is(t, door, domain.DeviceOnline, 1)
		a.DeviceAvailable("c1", bed, false)
		if s := a.is(t, bed, domain.DeviceOffline, 1); s.Reason != "unavailable" {
			t.Errorf("%+v", s)
		}
		a.is(t, bridge.ID, domain.DeviceOnline, 1)
		a.DeviceAvailable("c1", "dev_of_nobody", true)
		a.DevicesBehind("c1", map[string]bool{bed: true, door: true}) // the lamp was revoked
		a.is(t, bed, domain.DeviceOnline, 2)
		a.clock.pass(2 * grace)
		a.is(t, lamp, domain.DeviceOffline, 1)
		// The bridge comes back by another node before the end of its connection is noticed.
		b.connect(t, "c2", bridge, "10.0.0.2")
		b.DevicesBehind("c2", map[string]bool{bed: true, door: true})
		b.look(t)
		a.DeviceDisconnected(t.Context(), "c1", "lost")
		a.clock.pass(2 * grace)
		a.look(t)
		b.is(t, bed, domain.DeviceOnline, 3)
		b.DeviceDisconnected(t.Context(), "c2", "gone")
		b.DevicesBehind("c2", map[string]bool{bed: true})
		b.look(t)
		b.clock.pass(2 * grace)
		for _, id := range []string{bed, door} {
			s := b.status(t, id)
			if s.State(b.clock.time()) != domain.DeviceOffline || s.Reason != "gone" || !s.Doubled.IsZero() {
				t.Errorf("after the bridge has gone: %+v", s)
			}
		}
		if len(a.live.devices)+len(b.live.devices)+len(a.live.behind)+len(b.live.behind) != 0 {
			t.Error("something of it is kept")
		}
	})
}

// status returns the status of a device.
func (n *node) status(t *testing.T, device string) domain.DeviceStatus {
	t.Helper()
	n.look(t)
	d, err := n.Store.DeviceByID(t.Context(), device)
	if err != nil {
		t.Fatal(err)
	}
	return d.Status
}
