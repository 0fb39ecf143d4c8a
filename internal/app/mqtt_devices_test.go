package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
)

// lastValues returns the last value of each series of a device, with its unit.
func lastValues(t *testing.T, owner *client.Client, device string) map[string]string {
	t.Helper()
	var out struct {
		Series []struct {
			Name, Unit string
			Last       any
		}
	}
	if err := owner.Do(t.Context(), "GET", "/devices/"+device+"/series", nil, &out); err != nil {
		t.Fatal(err)
	}
	values := make(map[string]string)
	for _, s := range out.Series {
		values[s.Name] = strings.TrimSpace(fmt.Sprint(s.Last, " ", s.Unit))
	}
	return values
}

// awaitActuator waits until a device has said that it has an actuator.
func awaitActuator(t *testing.T, owner *client.Client, device, name string) {
	t.Helper()
	type actuator struct{ Name string }
	if !comes(func() bool {
		var out struct {
			Capabilities struct{ Actuators []actuator }
		}
		must(t, owner.Do(t.Context(), "GET", "/devices/"+device, nil, &out))
		return slices.Contains(out.Capabilities.Actuators, actuator{name})
	}) {
		t.Fatalf("the device has no actuator %s", name)
	}
}

// awaitSensor waits until a device has said that it has a sensor, and returns its kind, and what is not supported
// of the device.
func awaitSensor(t *testing.T, owner *client.Client, device, sensor string) (kind, unsupported string) {
	t.Helper()
	comes(func() bool {
		var out struct {
			Capabilities struct {
				Sensors     []struct{ Name, Kind string }
				Unsupported []struct{ Name, Why string }
			}
		}
		must(t, owner.Do(t.Context(), "GET", "/devices/"+device, nil, &out))
		unsupported = ""
		for _, u := range out.Capabilities.Unsupported {
			unsupported += u.Name + ": " + u.Why
		}
		for _, s := range out.Capabilities.Sensors {
			if s.Name == sensor {
				kind = s.Kind
			}
		}
		return kind != ""
	})
	return kind, unsupported
}

// awaitCommand waits until a command has ended, and returns how.
func awaitCommand(t *testing.T, owner *client.Client, device, id string) (state, why string) {
	t.Helper()
	var c struct{ State, Error string }
	if !comes(func() bool {
		must(t, owner.Do(t.Context(), "GET", "/devices/"+device+"/commands/"+id, nil, &c))
		return c.State == "done" || c.State == "failed" || c.State == "expired"
	}) {
		return c.State, "it did not end"
	}
	return c.State, c.Error
}

// A program that knows this server reports, describes itself and obeys on its own topics.
func TestMQTTOwnTopics(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		d := registerDevice(t, ann, "Greenhouse")
		base := "uh/d/" + d.Device.ID + "/"
		node := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "node", d.Key))
		node.Subscribe(packet.Filter{Topic: base + "c", QoS: 1}, packet.Filter{Topic: base + "up/ack", QoS: 1})
		for topic, c := range map[string]struct {
			payload string
			code    packet.Code
		}{
			"up":    {`{"readings":{"air":21.4,"on":true},"units":{"air":"Cel"}}`, 0},
			"s/co2": {"417", 0},
			"describe": {`{"model":"DIY","sensors":[{"name":"air","unit":"Cel","kind":"number"},{"name":"on","kind":"bool"}],
				"actuators":[{"name":"fan","args":[{"name":"on","kind":"bool","required":true}]}]}`, 0},
			"log":   {"started", 0},
			"avail": {strings.Repeat("x", 65<<10), packet.QuotaExceeded},
			"c/res": {`{"id":"cmd_unknown","state":"done"}`, packet.BadPayload},
			"other": {"x", packet.NotAuthorized},
			// Readings of which nothing is stored.
			"s/nan":      {"nan", packet.BadPayload},
			"s/infinite": {"-inf", packet.BadPayload},
			"s/bad name": {"1", packet.BadPayload},
			"s/long":     {strings.Repeat("x", 65), packet.BadPayload},
			"s/bytes":    {"\xff\xfe", packet.BadPayload},
			"s/empty":    {"", packet.BadPayload},
		} {
			if code := node.Publish(packet.Publish{Topic: base + topic, QoS: 1, Payload: []byte(c.payload)}); code != c.code {
				t.Errorf("%s was answered 0x%02x, want 0x%02x", topic, byte(code), byte(c.code))
			}
		}
		if code := node.Publish(packet.Publish{Topic: base + "up", QoS: 1, Payload: []byte("{")}); code != packet.BadPayload {
			t.Errorf("a payload that is no JSON was answered 0x%02x", byte(code))
		}
		for payload, want := range map[string]packet.Code{
			`{"at":"2999-01-01T00:00:00Z","readings":{"air":1}}`: packet.BadPayload,
			`{"senml":[{"n":"light","u":"lx","v":40}]}`:          packet.Success,
			`{"bad name":1}`:              packet.BadPayload,
			`{"bad name":1,"pressure":1}`: packet.Success,
			``:                            packet.BadPayload,
		} {
			if code := node.Publish(packet.Publish{Topic: base + "up", QoS: 1, Payload: []byte(payload)}); code != want {
				t.Errorf("%s was answered 0x%02x", payload, byte(code))
			}
		}
		b, _ := packet.AppendPublish(nil, packet.V5, packet.Publish{Topic: base + "up", QoS: 1, ID: 999,
			Payload: []byte(`{"boot":7,"seq":0,"readings":{"air":21.5}}`)})
		node.Send(b)
		if m := node.Message(); m.Topic != base+"up/ack" || !strings.Contains(string(m.Payload), `"acked_through":0`) {
			t.Errorf("got %s %s", m.Topic, m.Payload)
		}
		if p := node.Next(); p.Type != packet.PUBACK {
			t.Errorf("got %+v", p)
		}
		if code := node.Publish(packet.Publish{Topic: base + "up", QoS: 1, // SenML in CBOR: [{"n": "soil", "v": 7}]
			Payload: []byte("\x81\xa2\x00\x64soil\x02\x07")}); code != 0 {
			t.Errorf("a pack in CBOR was answered 0x%02x", byte(code))
		}
		if code := node.Publish(packet.Publish{Topic: base + "up", QoS: 1, // packed: "lux" is 9, now
			Payload: []byte("\xa2\x03\x00\x05\x40")}); code != packet.BadPayload {
			t.Errorf("a batch without names was answered 0x%02x", byte(code))
		}
		b, _ = packet.AppendPublish(nil, packet.V5, packet.Publish{Topic: base + "up", QoS: 1, ID: 998,
			Payload: []byte("\xa5\x03\x01\x04\x81\x63lux\x05\x47\x00\x00\x00\x01\x00\x01\x12\x09\xf5\x0a\x00")})
		node.Send(b)
		if m := node.Message(); m.Topic != base+"up/ack" || !strings.Contains(string(m.Payload), `"accepted":1`) {
			t.Errorf("a packed batch was answered %s %s", m.Topic, m.Payload)
		}
		if p := node.Next(); p.Type != packet.PUBACK {
			t.Errorf("got %+v", p)
		}
		if code := node.Publish(packet.Publish{Topic: base + "up", QoS: 1,
			Payload: []byte(`{"air":null,"hum":5}`)}); code != 0 {
			t.Errorf("null beside a value was answered 0x%02x", byte(code))
		}
		if got := lastValues(t, ann, d.Device.ID); got["hum"] != "5" || got["air"] != "21.5 Cel" ||
			got["on"] != "true" || got["soil"] != "7" || got["lux"] != "9" || got["co2"] != "417" || got["light"] != "40 lx" {
			t.Errorf("the values are %v", got)
		}
		describe := func(payload string) packet.Code {
			return node.Publish(packet.Publish{Topic: base + "describe", QoS: 1, Payload: []byte(payload)})
		}
		for _, wrong := range []string{`{"sensor":[]}`, `{"capabilities":{"x":1}}`, `{"capabilities":{},"sensors":[]}`,
			`[]`} {
			if code := describe(wrong); code != packet.BadPayload {
				t.Errorf("the description %s was answered 0x%02x", wrong, byte(code))
			}
		}
		awaitActuator(t, ann, d.Device.ID, "fan") // still
		if code := describe(`{"capabilities":{"actuators":[{"name":"fan","args":[{"name":"on","kind":"bool"}]},
			{"name":"pump"}]}}`); code != packet.Success {
			t.Errorf("a description as the WebSocket has it was answered 0x%02x", byte(code))
		}
		awaitActuator(t, ann, d.Device.ID, "pump")
		var c struct{ ID string }
		if err := ann.Do(t.Context(), "POST", "/devices/"+d.Device.ID+"/commands",
			map[string]any{"action": "fan", "args": map[string]any{"on": true}, "key": "k1"}, &c); err != nil {
			t.Fatal(err)
		}
		m := node.Message()
		var cmd struct {
			ID, Action string
			Args       map[string]any
		}
		if err := json.Unmarshal(m.Payload, &cmd); err != nil || m.Topic != base+"c" || cmd.ID != c.ID ||
			cmd.Action != "fan" || cmd.Args["on"] != true {
			t.Errorf("got %s %s", m.Topic, m.Payload)
		}
		node.Publish(packet.Publish{Topic: base + "c/res", QoS: 1, Payload: []byte(`{"id":"` + c.ID + `","state":"done"}`)})
		if state, why := awaitCommand(t, ann, d.Device.ID, c.ID); state != "done" {
			t.Errorf("the command is %s: %s", state, why)
		}
	})
}

// A node that announces itself as ESPHome and Tasmota do needs no setting here: its values are readings, and
// commands reach it on the topics that it announced.
func TestMQTTAnnouncedDevicesMeasureAndObey(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start()
		bob := s.User("bob")
		d := registerDevice(t, bob, "Greenhouse")
		node := mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "greenhouse", d.Key))
		publish := func(topic, payload string) {
			node.Publish(packet.Publish{Topic: topic, Retain: true, QoS: 1, Payload: []byte(payload)})
		}
		publish("homeassistant/sensor/greenhouse/air/config", `{"dev_cla":"temperature","unit_of_meas":"°C","name":"Air",
			"stat_t":"greenhouse/sensor/air/state","uniq_id":"ESPsensorair","dev":{"ids":"a0","name":"greenhouse","mdl":"esp32"}}`)
		publish("homeassistant/switch/greenhouse/fan/config", `{"name":"Fan","stat_t":"greenhouse/switch/fan/state",
			"cmd_t":"greenhouse/switch/fan/command","uniq_id":"f","dev":{"ids":"a0"}}`)
		publish("tasmota/discovery/A0/config", `{"dn":"Pump","fn":["Pump"],"mac":"A0","state":["OFF","ON"],"t":"pump",
			"ft":"%prefix%/%topic%/","tp":["cmnd","stat","tele"],"rl":[1]}`)
		publish("homeassistant/climate/greenhouse/heat/config",
			`{"name":"Heat","temp_stat_t":"heat/target","temp_cmd_t":"heat/set",
			"dev":{"ids":"a0"}}`)
		publish("homeassistant/sensor/greenhouse/count/config", `{"name":"Count","stat_t":"count","dev":{"ids":"a0"}}`)
		publish("homeassistant/sensor/greenhouse/loop/config", `{"name":"Loop","stat_t":"loop","val_tpl":"{% for x in y %}",
			"dev":{"ids":"a0"}}`)
		publish("count", "7") // nothing but its value says that it is a number
		publish("greenhouse/sensor/air/state", "21.4")
		publish("greenhouse/switch/fan/state", "OFF")
		publish("greenhouse/sensor/air/state", "nan")
		if got := lastValues(t, bob, d.Device.ID); got["air"] != "21.4 Cel" || got["fan"] != "false" {
			t.Errorf("the values are %v", got)
		}
		node.Subscribe(packet.Filter{Topic: "greenhouse/switch/fan/command"}, packet.Filter{Topic: "cmnd/pump/#"},
			packet.Filter{Topic: "heat/set"})
		awaitActuator(t, bob, d.Device.ID, "fan")
		awaitActuator(t, bob, d.Device.ID, "pump")
		if kind, why := awaitSensor(t, bob, d.Device.ID, "count"); kind != "number" ||
			why != "Loop: the template is not understood: {% for %} is not understood" {
			t.Errorf("the count is of the kind %q, and not supported is %q", kind, why)
		}
		commands := "/devices/" + d.Device.ID + "/commands"
		giveArgs := func(action, key string, args map[string]any) string {
			var c struct{ ID string }
			body := map[string]any{"action": action, "args": args, "key": key}
			if err := bob.Do(t.Context(), "POST", commands, body, &c); err != nil {
				t.Fatal(err)
			}
			return c.ID
		}
		give := func(action, key string) string { return giveArgs(action, key, map[string]any{"on": true}) }
		id := giveArgs("heat", "k0", map[string]any{"temperature": 25})
		if m := node.Message(); m.Topic != "heat/set" || string(m.Payload) != "25" {
			t.Errorf("got %+v", m)
		}
		publish("heat/target", "21")
		var c struct{ State string }
		if err := bob.Do(t.Context(), "GET", commands+"/"+id, nil, &c); err != nil || c.State == "done" {
			t.Errorf("the command for 25 °C is %s at 21 °C, %v", c.State, err)
		}
		publish("heat/target", "25")
		if state, why := awaitCommand(t, bob, d.Device.ID, id); state != "done" {
			t.Errorf("the command is %s: %s", state, why)
		}
		id = give("fan", "k1")
		if m := node.Message(); m.Topic != "greenhouse/switch/fan/command" || string(m.Payload) != "ON" {
			t.Errorf("got %+v", m)
		}
		publish("greenhouse/switch/fan/state", "ON")
		if state, why := awaitCommand(t, bob, d.Device.ID, id); state != "done" {
			t.Errorf("the command is %s: %s", state, why)
		}
		id = give("pump", "k2")
		if m := node.Message(); m.Topic != "cmnd/pump/POWER" || string(m.Payload) != "ON" {
			t.Errorf("got %+v", m)
		}
		publish("stat/pump/RESULT", `{"POWER":"ON"}`)
		if state, why := awaitCommand(t, bob, d.Device.ID, id); state != "done" {
			t.Errorf("the command is %s: %s", state, why)
		}
		if s.Nodes() > 1 {
			return // the restart is that of one process
		}
		s.Stop()
		s = start()
		node = mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "greenhouse", d.Key))
		publish("greenhouse/sensor/air/state", "22.5") // what was announced before is known
		again := client.New(s.URL)
		again.SetTokens(bob.Tokens())
		publish("count", "8")
		if got := lastValues(t, again, d.Device.ID); got["air"] != "22.5 Cel" || got["count"] != "8" {
			t.Errorf("after a restart the values are %v", got)
		}
	})
}

// The example of a device in Python (e2e/paho) does what its page says.
func TestPahoDevice(t *testing.T) {
	t.Parallel()
	top := filepath.Join("..", "..")
	library := filepath.Join(top, "bin", "paho")
	if _, err := os.Stat(filepath.Join(library, "paho")); err != nil {
		t.Skip("paho-mqtt is not in bin/paho (.ci/tools puts it there): the example in Python is not tried")
	}
	s := live.Start(t, testkit.SQLite(t))
	mia := s.User("mia")
	d := registerDevice(t, mia, "Python")
	host, port, _ := strings.Cut(s.MQTT, ":")
	cmd := exec.CommandContext(t.Context(), "python3", filepath.Join(top, "e2e", "paho", "device.py"), host, port,
		d.Device.ID,
		d.Key)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+library)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Log(out.String())
		}
	}()
	awaitActuator(t, mia, d.Device.ID, "fan")
	var c struct{ ID string }
	if err := mia.Do(t.Context(), "POST", "/devices/"+d.Device.ID+"/commands",
		map[string]any{"action": "fan", "args": map[string]any{"on": true}, "key": "k1"}, &c); err != nil {
		t.Fatal(err)
	}
	if state, why := awaitCommand(t, mia, d.Device.ID, c.ID); state != "done" {
		t.Errorf("the command is %s: %s", state, why)
	}
	if got := lastValues(t, mia, d.Device.ID); got["air"] != "21.4 Cel" || got["fan"] != "true" {
		t.Errorf("the values are %v", got)
	}
}
