package app_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
	"github.com/unhidra/unhidra/internal/wire"
)

type settingsOf struct {
	Version, Applied  int64
	Desired, Reported map[string]any
	Errors            map[string]string
}

// The owner of a device sets what it has declared; the device is told at once, or when it connects, and its
// answer is shown. Nobody else sees settings.
func TestSettingsReachTheDevice(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		d := registerDevice(t, ann, "Pump")
		at := "/devices/" + d.Device.ID + "/settings"
		told := make(chan wire.Settings, 10)
		device, _ := connectDevice(t, s, d.Key, client.LiveOptions{OnOther: func(typ string, data json.RawMessage) {
			var set wire.Settings
			if typ == wire.TypeSet && json.Unmarshal(data, &set) == nil {
				told <- set
			}
		}})
		low := 5.0
		must(t, device.Request(ctx, wire.TypeDescribe, wire.Describe{Capabilities: domain.Capabilities{
			Settings: []domain.Arg{{Name: "interval", Kind: domain.NumberArg, Min: &low}, {Name: "eco", Kind: domain.BoolArg}},
		}}, nil))
		change := func(version int64, settings map[string]any) (got settingsOf, err error) {
			err = ann.Do(ctx, "PATCH", at, map[string]any{"version": version, "settings": settings}, &got)
			return got, err
		}
		for name, wrong := range map[string]any{"interval": 1, "eco": "yes", "colour": "red"} {
			if _, err := change(0, map[string]any{name: wrong}); status(err) != 422 && status(err) != 400 {
				t.Errorf("%s was set: %v", name, err)
			}
		}
		if got, err := change(0, map[string]any{"interval": 30, "eco": true}); err != nil || got.Version != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		if _, err := change(0, map[string]any{"interval": 60}); codeOf(err) != client.CodeSettingsChanged ||
			status(err) != 409 {
			t.Errorf("an earlier version was changed: %v", err)
		}
		select {
		case set := <-told:
			if set.Version != 1 || set.Settings["interval"] != 30.0 || set.Settings["eco"] != true {
				t.Errorf("%+v", set)
			}
		case <-time.After(patience):
			t.Fatal("the device was not told")
		}
		must(t, device.Request(ctx, wire.TypeSettingsSet, wire.SettingsReport{Version: 1,
			Settings: map[string]any{"interval": 30}, Errors: map[string]string{"eco": "not this pump"}}, nil))
		var got settingsOf
		must(t, ann.Do(ctx, "GET", at, nil, &got))
		if got.Applied != 1 || got.Reported["interval"] != 30.0 || got.Errors["eco"] != "not this pump" {
			t.Errorf("%+v", got)
		}
		if err := bob.Do(ctx, "GET", at, nil, nil); status(err) != 404 {
			t.Errorf("a stranger sees settings: %v", err)
		}
		var asked wire.Settings
		must(t, device.Request(ctx, wire.TypeSettings, nil, &asked))
		if asked.Version != 1 {
			t.Errorf("%+v", asked)
		}
		device.Close()
		if _, err := change(1, map[string]any{"interval": 10, "eco": nil}); err != nil {
			t.Fatal(err)
		}
		setsByMQTT(t, s, d, func() (got settingsOf) {
			must(t, ann.Do(ctx, "GET", at, nil, &got))
			return got
		})
	})
}

// setsByMQTT has the device told when it connects by MQTT, and answers.
func setsByMQTT(t *testing.T, s *live.Server, d issued, shown func() settingsOf) {
	node := mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "pump", d.Key))
	base := "uh/d/" + d.Device.ID + "/settings"
	node.Subscribe(packet.Filter{Topic: base, QoS: 1})
	m := node.Message()
	if want := `{"version":2,"settings":{"interval":10}}`; m.Topic != base || string(m.Payload) != want {
		t.Errorf("%s: %s, not %s", m.Topic, m.Payload, want)
	}
	node.Publish(packet.Publish{QoS: 1, ID: 9, Topic: base + "/res",
		Payload: []byte(`{"version":2,"settings":{"interval":10,"eco":false}}`)})
	if got := shown(); got.Applied != 2 || got.Reported["eco"] != false || len(got.Errors) != 0 {
		t.Errorf("%+v", got)
	}
}
