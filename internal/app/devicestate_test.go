package app_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
	"github.com/unhidra/unhidra/internal/wire"
)

// statusesOf has the owner connected, and returns the statuses that they are told of.
func statusesOf(t *testing.T, owner *client.Client) func(state string) wire.DeviceStatus {
	t.Helper()
	told := make(chan wire.DeviceStatus, 100)
	hello := make(chan struct{}, 1)
	person := owner.Live(t.Context(), client.LiveOptions{
		OnHello: func(client.Hello) { hello <- struct{}{} },
		OnOther: func(typ string, data json.RawMessage) {
			var s wire.DeviceStatuses
			if typ == wire.TypeDeviceStatus && json.Unmarshal(data, &s) == nil {
				for _, d := range s.Devices {
					told <- d
				}
			}
		},
	})
	t.Cleanup(person.Close)
	<-hello
	return func(state string) wire.DeviceStatus {
		t.Helper()
		for {
			select {
			case d := <-told:
				if d.State == state {
					return d
				}
			case <-time.After(patience):
				t.Fatalf("nobody said that a device is %s", state)
			}
		}
	}
}

// A device is online while it has a connection, by WebSocket or MQTT and in no room; its owner is told,
// and finds it by that. One that said when it is back sleeps.
func TestDevicesAreOnlineAsleepOrOffline(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann := s.User("ann")
		d := registerDevice(t, ann, "Pump")
		told := statusesOf(t, ann)
		listed := func(state string) wire.DeviceStatus {
			t.Helper()
			var page struct {
				Items []struct{ Status *wire.DeviceStatus }
			}
			must(t, ann.Do(ctx, "GET", "/devices?state="+state, nil, &page))
			if len(page.Items) != 1 || page.Items[0].Status == nil {
				t.Fatalf("%d devices are %s", len(page.Items), state)
			}
			return *page.Items[0].Status
		}
		device, _ := connectDevice(t, s, d.Key, client.LiveOptions{})
		if at := told("online"); at.Session != 1 || at.Device != d.Device.ID || listed("online").Session != 1 {
			t.Errorf("%+v", at)
		}
		must(t, device.Request(ctx, wire.TypeBye, wire.Bye{Reason: "sleep", BackIn: 3600}, nil))
		device.Close()
		if at := told("asleep"); at.Until == nil || listed("asleep").Until == nil {
			t.Errorf("%+v", at)
		}
		node := mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "pump", d.Key))
		if at := told("online"); at.Session != 2 {
			t.Errorf("%+v", at)
		}
		node.Close()
		if at := told("offline"); at.Session != 2 || at.Reason == "" || listed("offline").Until != nil {
			t.Errorf("%+v", at)
		}
	})
}
