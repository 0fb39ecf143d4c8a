package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
)

// describesAFan has a device say that it has a fan, and something that is destructive.
func describesAFan(node *mqtttest.Client, device string) {
	node.Publish(packet.Publish{Topic: "uh/d/" + device + "/describe", QoS: 1, Payload: []byte(`{"actuators":[
		{"name":"fan","args":[{"name":"on","kind":"bool","required":true}]},{"name":"erase","destructive":true}]}`)})
}

// The announcement that the server makes for a device is replaced, deleted and claimed by no other device, and no
// other speaks for Home Assistant, or announces entities that name that device or its topics.
func TestMQTTAnnouncementsOfDevicesAreTheirs(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		v, a, home := registerDevice(t, ann, "Victim"), registerDevice(t, ann, "Attacker"), registerController(t, ann, "HA")
		victim := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "v", v.Key))
		describesAFan(victim, v.Device.ID)
		config, status := "homeassistant/device/"+v.Device.ID+"/config", "homeassistant/status"
		attacker := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "a", a.Key))
		attacker.Subscribe(packet.Filter{Topic: status})
		ha := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "ha", home.Key))
		ha.Subscribe(packet.Filter{Topic: "homeassistant/#", NoLocal: true})
		first := ha.Message()
		if first.Topic != config || len(first.Payload) == 0 {
			t.Fatalf("got %s %s", first.Topic, first.Payload)
		}
		own := `{"name":"Fan","uniq_id":"` + a.Device.ID + `_fan","cmd_t":"tele/fan","dev":{"ids":["` + a.Device.ID + `"]}}`
		for _, p := range []struct{ topic, payload string }{
			{config, ""}, {config, own}, {config, string(first.Payload)}, {status, "online"},
			{"homeassistant/switch/x/config", strings.ReplaceAll(own, "tele/fan", "uh/d/"+v.Device.ID+"/set/fan")},
			{"homeassistant/switch/x/config", strings.ReplaceAll(own, "tele/fan",
				`~`+v.Device.ID[4:]+`/set/fan","~":"uh/d/dev_`)},
			{"homeassistant/switch/x/config", strings.ReplaceAll(own, a.Device.ID, v.Device.ID)},
			{"homeassistant/device/x/config", strings.ReplaceAll(own, a.Device.ID, `\u0064`+v.Device.ID[1:])},
		} {
			code := attacker.Publish(packet.Publish{Topic: p.topic, QoS: 1, Retain: true, Payload: []byte(p.payload)})
			if code != packet.NotAuthorized {
				t.Errorf("%s %s of another device was answered 0x%02x", p.topic, p.payload, byte(code))
			}
		}
		will := connectAs(packet.V5, "w", a.Key)
		will.Will = &packet.Will{Topic: config}
		if _, ack := mqtttest.Connect(t, s.MQTT, will); ack.Code != packet.NotAuthorized {
			t.Errorf("a will on the topic of another device was answered 0x%02x", byte(ack.Code))
		}
		ha.Silent()
		if code := ha.Publish(packet.Publish{Topic: config, QoS: 1, Retain: true}); code != packet.NotAuthorized {
			t.Errorf("a controller deletes the announcement of a device: 0x%02x", byte(code))
		}
		if code := ha.Publish(packet.Publish{Topic: status, QoS: 1, Payload: []byte("online")}); code != packet.Success {
			t.Errorf("a controller cannot say that it has started: 0x%02x", byte(code))
		}
		if m := attacker.Message(); m.Topic != status {
			t.Errorf("the device was told %+v", m)
		}
		late := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "late", home.Key))
		late.Subscribe(packet.Filter{Topic: "homeassistant/#"})
		if m := late.Message(); m.Topic != config || string(m.Payload) != string(first.Payload) {
			t.Errorf("the announcement is now %s %s", m.Topic, m.Payload)
		}
		late.Silent()
		for node, p := range map[*mqtttest.Client]packet.Publish{
			attacker: {Topic: "homeassistant/switch/a/config", Payload: []byte(own)},
			victim:   {Topic: config, Payload: first.Payload},
		} {
			p.QoS, p.Retain = 1, true
			if code := node.Publish(p); code != packet.Success {
				t.Errorf("an announcement of the device itself was answered 0x%02x", byte(code))
			}
		}
	})
}

// What a controller left retained ends with it. The topics of devices remain theirs.
func TestMQTTForgetsWhatARevokedControllerRetained(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		d, other, home := registerDevice(t, ann, "Pump"), registerDevice(t, ann, "Other"), registerController(t, ann, "HA")
		pump := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "pump", d.Key))
		pump.Publish(packet.Publish{Topic: "pump/mode", QoS: 1, Payload: []byte("eco")})
		ha := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "ha", home.Key))
		owner := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "owner", accessOf(t, ann)))
		ha.Publish(packet.Publish{Topic: "pump/mode", QoS: 1, Retain: true, Payload: []byte("high")})
		ha.Publish(packet.Publish{Topic: "home/scene", QoS: 1, Retain: true, Payload: []byte("evening")})
		owner.Publish(packet.Publish{Topic: "house/mode", QoS: 1, Retain: true, Payload: []byte("away")})
		pump.Subscribe(packet.Filter{Topic: "#"})
		for range 3 { // a device has what a controller retained
			if m := pump.Message(); !m.Retain || len(m.Payload) == 0 {
				t.Errorf("the device got %+v", m)
			}
		}
		owner.Subscribe(packet.Filter{Topic: "+/+", RetainHandling: 2})
		if err := ann.Do(t.Context(), "DELETE", "/devices/"+home.Device.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		gone := []string{owner.Message().Topic, owner.Message().Topic}
		if slices.Sort(gone); !slices.Equal(gone, []string{"home/scene", "pump/mode"}) {
			t.Errorf("the owner was told that %v are gone", gone)
		}
		late := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "late", accessOf(t, ann)))
		late.Subscribe(packet.Filter{Topic: "+/+"})
		if m := late.Message(); m.Topic != "house/mode" {
			t.Errorf("still retained: %+v", m)
		}
		late.Silent()
		node := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "other", other.Key))
		if code := node.Publish(packet.Publish{Topic: "pump/mode", QoS: 1,
			Payload: []byte("x")}); code != packet.NotAuthorized {
			t.Errorf("the topic is not its device's any more: 0x%02x", byte(code))
		}
	})
}

// What is destructive is asked for by a person who confirms it. The log of the controller says so.
func TestMQTTControllersDoNothingDestructive(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		d, home := registerDevice(t, ann, "Pump"), registerController(t, ann, "HA")
		describesAFan(mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "pump", d.Key)), d.Device.ID)
		ha := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "ha", home.Key))
		for _, payload := range []string{"", "{}", `{"confirm":true}`} {
			code := ha.Publish(packet.Publish{Topic: "uh/d/" + d.Device.ID + "/set/erase", QoS: 1, Payload: []byte(payload)})
			if code != packet.BadPayload {
				t.Errorf("%s was answered 0x%02x", payload, byte(code))
			}
		}
		var log struct {
			Items []struct {
				Detail string
				Count  int
			}
		}
		comes(func() bool {
			must(t, ann.Do(t.Context(), "GET", "/devices/"+home.Device.ID+"/log", nil, &log))
			return len(log.Items) > 0
		})
		if len(log.Items) != 1 || log.Items[0].Count != 3 ||
			!strings.Contains(log.Items[0].Detail, "controllers cannot do it; use the web client") {
			t.Errorf("the log is %+v", log)
		}
	})
}

// Settings may be secret: those of a device, and what it says to them, are for it alone.
func TestMQTTControllersSeeNoSettings(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		d, home := registerDevice(t, ann, "Pump"), registerController(t, ann, "HA")
		base := "uh/d/" + d.Device.ID + "/"
		pump := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "pump", d.Key))
		pump.Publish(packet.Publish{Topic: base + "describe", QoS: 1,
			Payload: []byte(`{"settings":[{"name":"psk","kind":"text"}]}`)})
		ha := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "ha", home.Key))
		owner := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "owner", accessOf(t, ann)))
		for _, c := range []*mqtttest.Client{ha, owner} {
			c.Subscribe(packet.Filter{Topic: "uh/d/+/settings/#"}, packet.Filter{Topic: base + "settings"})
		}
		pump.Subscribe(packet.Filter{Topic: base + "settings", QoS: 1})
		change := map[string]any{"version": 0, "settings": map[string]any{"psk": "hidden"}}
		if err := ann.Do(t.Context(), "PATCH", "/devices/"+d.Device.ID+"/settings", change, nil); err != nil {
			t.Fatal(err)
		}
		if m := pump.Message(); m.Topic != base+"settings" || !strings.Contains(string(m.Payload), "hidden") {
			t.Errorf("the device was told %s %s", m.Topic, m.Payload)
		}
		pump.Publish(packet.Publish{Topic: base + "settings/res", QoS: 1, Retain: true,
			Payload: []byte(`{"version":1,"settings":{"psk":"hidden"}}`)})
		ha.Silent()
		owner.Silent()
		ha.Subscribe(packet.Filter{Topic: base + "#"})
		ha.Silent()
	})
}

// A device that tried in vain while it was suspended is let in soon after it is resumed, by each node.
func TestMQTTLetsResumedDevicesInSoon(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		d := registerDevice(t, ann, "Pump")
		suspend := func(yes bool) {
			t.Helper()
			if err := ann.Do(t.Context(), "PATCH", "/devices/"+d.Device.ID, map[string]any{"suspended": yes}, nil); err != nil {
				t.Fatal(err)
			}
		}
		suspend(true)
		for range 3 {
			if _, ack := mqtttest.Connect(t, s.MQTT, connectAs(packet.V5, "pump", d.Key)); ack.Code != packet.BadCredentials {
				t.Fatalf("a suspended device was answered 0x%02x", byte(ack.Code))
			}
		}
		suspend(false)
		for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
			_, ack := mqtttest.Connect(t, s.MQTT, connectAs(packet.V5, "pump", d.Key))
			if ack.Code == packet.Success {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("a resumed device is still answered 0x%02x", byte(ack.Code))
			}
		}
	})
}

// A topic of a revoked device is free for another, also if nothing was retained there and the site is in use.
func TestMQTTTopicsOfRevokedDevicesAreFree(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		old, next := registerDevice(t, ann, "Old"), registerDevice(t, ann, "Next")
		node := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "next", next.Key))
		reading := packet.Publish{Topic: "tele/pump/STATE", QoS: 1, Payload: []byte("{}")}
		mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "old", old.Key)).Publish(reading)
		if code := node.Publish(reading); code != packet.NotAuthorized {
			t.Errorf("the topic of another device was answered 0x%02x", byte(code))
		}
		if err := ann.Do(t.Context(), "DELETE", "/devices/"+old.Device.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		if !comes(func() bool { return node.Publish(reading) == packet.Success }) {
			t.Fatal("the topic of the revoked device is not free")
		}
	})
}
