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
		config := []byte(`{"name":"Air","stat_t":"pump/air","avty_t":"pump/status","uniq_id":"a","dev":{"ids":"p"}}`)
		node.Publish(packet.Publish{QoS: 1, ID: 1, Retain: true, Topic: "homeassistant/sensor/p/a/config", Payload: config})
		node.Publish(packet.Publish{QoS: 1, ID: 2, Topic: "pump/status", Payload: []byte("offline")})
		if at := told("offline"); at.Reason != "unavailable" {
			t.Errorf("%+v", at)
		}
		node.Publish(packet.Publish{QoS: 1, ID: 3, Topic: "pump/status", Payload: []byte("online")})
		if at := told("online"); at.Session != 3 {
			t.Errorf("%+v", at)
		}
		node.Close()
		if at := told("offline"); at.Session != 3 || at.Reason == "" || listed("offline").Until != nil {
			t.Errorf("%+v", at)
		}
	})
}

// The log of a device says what of it was refused, by whatever transport, and how often.
func TestADevicesLogSaysWhatWasRefused(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		d := registerDevice(t, ann, "Pump")
		device, _ := connectDevice(t, s, d.Key, client.LiveOptions{})
		for range 2 {
			must(t, device.Request(ctx, "report", map[string]any{"readings": map[string]any{"?": 1}}, nil))
		}
		if err := device.Request(ctx, wire.TypeBye, wire.Bye{Reason: "holiday"}, nil); err == nil {
			t.Error("a bye without a reason was taken")
		}
		base := "uh/d/" + d.Device.ID + "/"
		node := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "pump", d.Key))
		publish := func(topic, payload string) packet.Code {
			return node.Publish(packet.Publish{QoS: 1, ID: 7, Topic: topic, Payload: []byte(payload)})
		}
		for topic, payload := range map[string]string{"up": "{", "bye": `{"reason":"holiday"}`, "nothing": "1"} {
			if code := publish(base+topic, payload); code == packet.Success {
				t.Errorf("%s was taken", topic)
			}
		}
		if code := publish(base+"log", "pump is dry"); code != packet.Success {
			t.Errorf("code %x", code)
		}
		if code := publish(base+"bye", `{"reason":"sleep","back_in":60}`); code != packet.Success {
			t.Errorf("code %x", code)
		}
		want := map[string]int64{"reading  bad_name": 2, "request bye invalid_field": 1, "device pump is dry ": 1,
			"topic " + base + "up invalid_field": 1, "topic " + base + "bye invalid_field": 1,
			"topic " + base + "nothing 0x87": 1}
		type noted struct {
			Kind, Subject, Reason, Detail string
			Count                         int64
		}
		var list struct{ Items []noted }
		comes(func() bool {
			list.Items = nil // what is absent of an item would stay from the answer before
			must(t, ann.Do(ctx, "GET", "/devices/"+d.Device.ID+"/log", nil, &list))
			return len(list.Items) >= len(want)
		})
		for _, n := range list.Items {
			key := n.Kind + " " + n.Subject + " " + n.Reason
			if want[key] != n.Count {
				t.Errorf("%+v", n)
			}
			delete(want, key)
		}
		if len(want) > 0 {
			t.Errorf("not in the log: %v", want)
		}
		if err := bob.Do(ctx, "GET", "/devices/"+d.Device.ID+"/log", nil, nil); status(err) != 404 {
			t.Errorf("a stranger reads the log: %v", err)
		}
	})
}
