package app_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
)

// registerController registers a program that sees and commands all devices of its owner.
func registerController(t *testing.T, owner *client.Client, name string) issued {
	t.Helper()
	var out issued
	body := map[string]any{"name": name, "access": "controller"}
	if err := owner.Do(t.Context(), "POST", "/devices", body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A program with the key of a controller sees and commands the devices of its owner, and nobody else's, until
// the key is revoked.
func TestMQTTControllersSeeTheDevicesOfTheirOwner(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start()
		ann, bob := s.User("ann"), s.User("bob")
		pump, other := registerDevice(t, ann, "Pump"), registerDevice(t, bob, "Other")
		home := registerController(t, ann, "Home")
		var seen struct{ Access string }
		if err := ann.Do(t.Context(), "GET", "/devices/"+home.Device.ID, nil, &seen); err != nil ||
			seen.Access != "controller" {
			t.Errorf("the controller has the access %q, %v", seen.Access, err)
		}
		if err := ann.Do(t.Context(), "POST", "/devices", map[string]any{"name": "X", "access": "all"}, nil); err == nil {
			t.Error("an access that does not exist was accepted")
		}
		c := mqtttest.Must(t, s.MQTT, kept(packet.V5, "home", home.Key))
		c.Subscribe(packet.Filter{Topic: "#", QoS: 1, NoLocal: true})
		node := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "pump", pump.Key))
		node.Subscribe(packet.Filter{Topic: "cmnd/pump/#", QoS: 1})
		stranger := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "other", other.Key))
		stranger.Publish(packet.Publish{Topic: "tele/pump/LWT", QoS: 1, Payload: []byte("not ann's")})
		node.Publish(packet.Publish{Topic: "tele/pump/LWT", QoS: 1, Payload: []byte("Online")})
		if m := c.Message(); m.Topic != "tele/pump/LWT" || string(m.Payload) != "Online" {
			t.Errorf("the controller got %+v", m)
		}
		// Whose topics they are is no matter to a controller.
		for topic, want := range map[string]packet.Code{
			"cmnd/pump/POWER":                packet.Success,
			"uh/d/" + pump.Device.ID + "/up": packet.NotAuthorized,
			"uh/d/" + home.Device.ID + "/up": packet.NotAuthorized,
		} {
			if code := c.Publish(packet.Publish{Topic: topic, QoS: 1, Payload: []byte("ON")}); code != want {
				t.Errorf("%s was answered 0x%02x, want 0x%02x", topic, byte(code), byte(want))
			}
		}
		if m := node.Message(); m.Topic != "cmnd/pump/POWER" || string(m.Payload) != "ON" {
			t.Errorf("the node got %+v", m)
		}
		c.Close()
		if s.Nodes() == 1 {
			s.Stop()
			s = start()
			node = mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "pump", pump.Key))
			again := client.New(s.URL)
			again.SetTokens(ann.Tokens())
			ann = again
		}
		// Its session is that of a controller also while it is away.
		node.Publish(packet.Publish{Topic: "tele/pump/STATE", QoS: 1, Payload: []byte("{}")})
		c = mqtttest.Must(t, s.MQTT, kept(packet.V5, "home", home.Key))
		if m := c.Message(); m.Topic != "tele/pump/STATE" {
			t.Errorf("the controller got %+v", m)
		}
		if err := ann.Do(t.Context(), "DELETE", "/devices/"+home.Device.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		if code := c.Ended(); code != packet.Administrative {
			t.Errorf("a revoked controller was told 0x%02x", byte(code))
		}
	})
}

// homeAssistant are the filters to which Home Assistant subscribes for announcements, as its MQTT integration does:
// for each component one without and one with a node in the topic.
func homeAssistant() (filters []packet.Filter) {
	for component := range strings.FieldsSeq(`alarm_control_panel binary_sensor button camera climate cover device
		device_automation device_tracker event fan humidifier image lawn_mower light lock notify number scene select
		sensor siren switch tag text update vacuum valve water_heater`) {
		for _, rest := range []string{"/+/config", "/+/+/config"} {
			filters = append(filters, packet.Filter{Topic: "homeassistant/" + component + rest})
		}
	}
	return filters
}

// Home Assistant finds the devices of this server by its subscriptions, follows their values, and switches them.
func TestHomeAssistantSeesAndSwitchesOurDevices(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		d, home := registerDevice(t, ann, "Greenhouse"), registerController(t, ann, "Home Assistant")
		base := "uh/d/" + d.Device.ID + "/"
		node := mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "node", d.Key))
		node.Subscribe(packet.Filter{Topic: base + "c", QoS: 1})
		publish := func(topic, payload string) {
			node.Publish(packet.Publish{Topic: base + topic, QoS: 1, Payload: []byte(payload)})
		}
		publish("describe", `{"sensors":[{"name":"air","unit":"Cel","kind":"number"},{"name":"fan","kind":"bool"}],
			"actuators":[{"name":"fan","args":[{"name":"on","kind":"bool","required":true}]}]}`)
		publish("up", `{"air":21.4,"fan":false}`)
		ha := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "ha", home.Key))
		ha.Subscribe(homeAssistant()...)
		config := ha.Message()
		var doc struct {
			Cmps map[string]struct {
				P    string `json:"p"`
				Stat string `json:"stat_t"`
				Cmd  string `json:"cmd_t"`
				On   string `json:"pl_on"`
			}
			Avty string `json:"avty_t"`
		}
		if err := json.Unmarshal(config.Payload, &doc); err != nil || !config.Retain ||
			config.Topic != "homeassistant/device/"+d.Device.ID+"/config" {
			t.Fatalf("got %s %s, %v", config.Topic, config.Payload, err)
		}
		fan := doc.Cmps["fan"]
		if doc.Cmps["air"].P != "sensor" || fan.P != "switch" || fan.Stat != doc.Cmps["air"].Stat {
			t.Errorf("the announcement is %s", config.Payload)
		}
		ha.Subscribe(packet.Filter{Topic: doc.Avty})
		if m := ha.Message(); m.Topic != doc.Avty || !m.Retain {
			t.Errorf("whether it is there is %s %s", m.Topic, m.Payload)
		} else if string(m.Payload) == "offline" { // it is stored a moment after it came
			if m := ha.Message(); string(m.Payload) != "online" {
				t.Errorf("the device is %s", m.Payload)
			}
		}
		ha.Subscribe(packet.Filter{Topic: fan.Stat})
		if m := ha.Message(); m.Topic != fan.Stat || string(m.Payload) != `{"air":21.4,"fan":false}` || !m.Retain {
			t.Errorf("the state is %s %s", m.Topic, m.Payload)
		}
		if code := ha.Publish(packet.Publish{Topic: fan.Cmd, QoS: 1, Payload: []byte(fan.On)}); code != packet.Success {
			t.Errorf("a command was answered 0x%02x", byte(code))
		}
		var cmd struct {
			ID, Action string
			Args       map[string]any
			By         struct{ Username string }
		}
		if m := node.Message(); json.Unmarshal(m.Payload, &cmd) != nil || cmd.Action != "fan" || cmd.Args["on"] != true ||
			cmd.By.Username != "ann" {
			t.Errorf("the node got %s %s", m.Topic, m.Payload)
		}
		publish("up", `{"fan":true}`)
		publish("c/res", `{"id":"`+cmd.ID+`","state":"done"}`)
		if m := ha.Message(); m.Topic != fan.Stat || string(m.Payload) != `{"air":21.4,"fan":true}` {
			t.Errorf("the state is %s %s", m.Topic, m.Payload)
		}
		if state, why := awaitCommand(t, ann, d.Device.ID, cmd.ID); state != "done" {
			t.Errorf("the command is %s: %s", state, why)
		}
		stranger := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "n", registerDevice(t, ann, "Other").Key))
		for topic, payload := range map[string]string{
			base + "set/fan": `{"on":1}`, base + "set/pump": "ON", "uh/d/dev_none/set/fan": "ON",
		} {
			m := packet.Publish{Topic: topic, QoS: 1, Payload: []byte(payload)}
			if code := ha.Publish(m); code != packet.BadPayload {
				t.Errorf("%s %s was answered 0x%02x", topic, payload, byte(code))
			}
			if code := stranger.Publish(m); code != packet.NotAuthorized {
				t.Errorf("a device was answered 0x%02x for %s", byte(code), topic)
			}
		}
		// What changes is announced, and so is the end.
		rename := map[string]any{"name": "Glasshouse"}
		if err := ann.Do(t.Context(), "PATCH", "/devices/"+d.Device.ID, rename, nil); err != nil {
			t.Fatal(err)
		}
		if m := ha.Message(); m.Topic != config.Topic || !strings.Contains(string(m.Payload), "Glasshouse") {
			t.Errorf("after it was renamed: %s %s", m.Topic, m.Payload)
		}
		if err := ann.Do(t.Context(), "DELETE", "/devices/"+d.Device.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		if m := ha.Message(); m.Topic != config.Topic || len(m.Payload) != 0 {
			t.Errorf("after it was revoked: %s %s", m.Topic, m.Payload)
		}
	})
}
