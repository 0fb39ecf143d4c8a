package discovery

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// answer is what a node answers.
func answer(t *testing.T, id int, result string) ShellyAnswer {
	t.Helper()
	var a ShellyAnswer
	if err := json.Unmarshal(fmt.Appendf(nil, `{"id":%d,"src":"x","dst":"y","result":%s}`, id, result), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// values returns what a message says, by the names of sensors.
func values(es []*Entity, topic, payload string) map[string]string {
	all := make(map[string]string)
	m := &Message{Payload: payload}
	for _, e := range es {
		for i := range e.Sensors {
			if s := &e.Sensors[i]; s.Topic == topic && s.Name != "" {
				if v, ok := s.Value(m); ok {
					all[s.Name] = strings.TrimSpace(fmt.Sprint(v.Any(), " ", s.Unit))
				}
			}
		}
	}
	return all
}

// A later Shelly says by its answers what it measures and does, overlays changes, and is told by JSON-RPC.
func TestShellyIsKnownByItsAnswers(t *testing.T) {
	t.Parallel()
	s := NewShelly("cellar/pump", "uh/d/dev_1/rpc").(*Shelly2)
	var asked []string
	for _, q := range s.Questions() {
		if q.Topic != "cellar/pump/rpc" || !strings.Contains(q.Payload, `"src":"uh/d/dev_1"`) {
			t.Errorf("the question is %+v", q)
		}
		var r struct{ Method string }
		_ = json.Unmarshal([]byte(q.Payload), &r)
		asked = append(asked, r.Method)
	}
	if !slices.Equal(asked, []string{"Shelly.GetDeviceInfo", "Shelly.GetStatus"}) {
		t.Errorf("asked is %v", asked)
	}
	s.Answered(answer(t, 1, `{"name":"Pump","id":"shellyplus1pm-a0b1c2d3e4f5","mac":"A0B1C2D3E4F5","model":"SNSW-001P16EU",
		"gen":2,"ver":"1.4.4","app":"Plus1PM","auth_en":false}`))
	status := `{"switch:0":{"id":0,"source":"init","output":false,"apower":0.0,"voltage":231.4,"current":0.0,
		"aenergy":{"total":12.5,"by_minute":[0,0,0]},"temperature":{"tC":41.2,"tF":106.2}},
		"cover:1":{"id":1,"state":"stopped","current_pos":40,"pos_control":true},"cover:2":{"id":2,"state":"open",
		"current_pos":null},"light:0":{"id":0,"output":true,"brightness":50},"input:0":{"id":0,"state":null},
		"devicepower:0":{"id":0,"battery":{"V":3.0,"percent":88}},"thermostat:0":{"id":0,"target_C":20},
		"script:1":{"id":1},"sys":{"uptime":7},"wifi":{"rssi":-60}}`
	if !s.Answered(answer(t, ShellyStatus, status)) || s.Answered(answer(t, ShellyStatus, status)) {
		t.Error("a status is news once")
	}
	es := s.Entities()
	c := Capabilities(es)
	if c.Model != "Shelly Plus1PM SNSW-001P16EU" || c.Firmware != "1.4.4" || c.Serial != "A0B1C2D3E4F5" {
		t.Errorf("it is %+v", c)
	}
	if len(c.Unsupported) != 1 || c.Unsupported[0].Name != "Thermostat 0" {
		t.Errorf("not supported is %v", c.Unsupported)
	}
	got := values(es, "uh/d/dev_1/rpc", `{"id":2,"result":`+status+`}`)
	want := map[string]string{"switch_0": "false", "switch_0_power": "0 W", "switch_0_voltage": "231.4 V",
		"switch_0_current": "0 A", "switch_0_energy": "12.5 Wh", "switch_0_temperature": "41.2 Cel", "cover_1": "stopped",
		"cover_1_position": "40 %", "cover_2": "open", "light_0": "true", "light_0_brightness": "50 %",
		"devicepower_0_battery": "88 %EL", "devicepower_0_voltage": "3 V"}
	if !maps.Equal(got, want) {
		t.Errorf("the values are %v", got)
	}
	change := `{"src":"shellyplus1pm-a0b1c2d3e4f5","dst":"cellar/pump/events","method":"NotifyStatus","params":{"ts":1.5,
		"switch:0":{"id":0,"output":true}}}`
	if got := values(es, "cellar/pump/events/rpc", change); !maps.Equal(got, map[string]string{"switch_0": "true"}) {
		t.Errorf("a change says %v", got)
	}
	one := `{"id":0,"output":true,"apower":20.5}`
	if got := values(es, "cellar/pump/status/switch:0", one); got["switch_0_power"] != "20.5 W" {
		t.Errorf("a status says %v", got)
	}
	told := make(map[string]string)
	for _, e := range es {
		for _, a := range e.Actions {
			args := map[string]any{"on": true, "to": "close", "value": 30.0}
			if a.Name == "light_0" {
				args["brightness"] = 20.0
			}
			told[a.Name] = a.Request(17, args).Payload
		}
	}
	for name, end := range map[string]string{
		"switch_0":         `"method":"Switch.Set","params":{"id":0,"on":true}}`,
		"light_0":          `"method":"Light.Set","params":{"brightness":20,"id":0,"on":true}}`,
		"cover_1":          `"method":"Cover.Close","params":{"id":1}}`,
		"cover_1_position": `"method":"Cover.GoToPosition","params":{"id":1,"pos":30}}`,
		"cover_2":          `"method":"Cover.Close","params":{"id":2}}`,
	} {
		if told[name] != `{"id":17,"src":"uh/d/dev_1",`+end {
			t.Errorf("%s is told %s", name, told[name])
		}
	}
	if len(told) != 5 {
		t.Errorf("the actions are %v", told)
	}
	// What is no more is gone with the next answer, and a battery node that is asleep by then says all of itself.
	if !s.Answered(answer(t, ShellyStatus, `{"temperature:0":{"id":0,"tC":null}}`)) || len(s.Entities()) != 1 {
		t.Errorf("the entities are %v", s.Entities())
	}
	full := `{"src":"x","method":"NotifyFullStatus","params":{"humidity:0":{"id":0,"rh":55.5},"temperature:0":{"tC":20.1}}}`
	if !s.Hear(&Message{Payload: full}, "cellar/pump/events/rpc") {
		t.Error("a full status is no news")
	}
	if got := values(s.Entities(), "cellar/pump/events/rpc", full); got["humidity_0"] != "55.5 %RH" ||
		got["temperature_0"] != "20.1 Cel" {
		t.Errorf("a full status says %v", got)
	}
}

// Only what a Shelly publishes is taken for one.
func TestShellyIsRecognisedByItsTopics(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ topic, payload, prefix string }{
		{"shellyplus1-a0b1c2/online", "true", "shellyplus1-a0b1c2"},
		{"home/cellar/pump/online", "false", "home/cellar/pump"},
		{"pump/online", "yes", ""},
		{"/online", "true", ""},
		{"pump/events/rpc", `{"src":"shellyplus1-a0","method":"NotifyEvent","params":{}}`, "pump"},
		{"pump/events/rpc", `{"method":"NotifyStatus"}`, ""},
		{"pump/events/rpc", `hello`, ""},
		{"pump/status/switch:0", `{"id":0}`, "pump"},
		{"pump/status/pump:0", `{"id":0}`, ""},
		{"pump/status/switch", `{"id":0}`, ""},
		{"pump/status/switch:0", `ON`, ""},
		{"homeassistant/x/online", "true", ""},
		{"tasmota/discovery/x/online", "true", ""},
		{"shellies/shelly1-A0B1/online", "true", "shellies/shelly1-A0B1"},
		{"shellies/shelly1-A0B1/relay/0", "on", "shellies/shelly1-A0B1"},
		{"shellies/shelly1-A0B1/other/0", "on", ""},
		{"shellies/announce", `{"id":"shelly1-A0B1"}`, "shellies/shelly1-A0B1"},
		{"shellies/announce", `{"id":"a/b"}`, ""},
		{"greenhouse/sensor/air/state", "21.4", ""},
	} {
		if prefix, ok := ShellyTopic(c.topic, c.payload); ok != (c.prefix != "") || ok && prefix != c.prefix {
			t.Errorf("%s %s is of %q, %v", c.topic, c.payload, prefix, ok)
		}
	}
}

// A Shelly of the first generation has a topic for each value.
func TestShellyOfTheFirstGeneration(t *testing.T) {
	t.Parallel()
	s := NewShelly("shellies/shelly25-A0B1", "")
	hear := func(tail, payload string) bool {
		return s.Hear(&Message{Payload: payload}, "shellies/shelly25-A0B1/"+tail)
	}
	for tail, payload := range map[string]string{"relay/0": "off", "relay/0/power": "0.00", "relay/0/energy": "120",
		"temperature": "41.5", "input/0": "0", "roller/0": "stop", "roller/0/pos": "30", "sensor/state": "open"} {
		if !hear(tail, payload) || hear(tail, payload) {
			t.Errorf("%s is news once", tail)
		}
	}
	for _, tail := range []string{"relay/0/command", "relay/12", "online", "longpush/0", "roller/0/command/pos"} {
		if hear(tail, "on") {
			t.Errorf("%s is no value", tail)
		}
	}
	s.Hear(&Message{Payload: `{"id":"shelly25-A0B1","model":"SHSW-25","mac":"A0B1","fw_ver":"2023-1/v1.14"}`}, ShellyShared)
	es := s.Entities()
	c := Capabilities(es)
	if c.Model != "Shelly SHSW-25" || c.Firmware != "2023-1/v1.14" || len(c.Unsupported) != 0 {
		t.Errorf("it is %+v", c)
	}
	for tail, want := range map[string][3]string{
		"relay/0": {"on", "relay_0", "true"}, "relay/0/power": {"12.5", "relay_0_power", "12.5 W"},
		"relay/0/energy": {"120", "relay_0_energy", "2 Wh"}, "temperature": {"41.5", "temperature", "41.5 Cel"},
		"input/0": {"1", "input_0", "true"}, "roller/0": {"open", "roller_0", "open"},
		"roller/0/pos": {"30", "roller_0_pos", "30 %"}, "sensor/state": {"open", "state", "true"},
	} {
		if got := values(es, "shellies/shelly25-A0B1/"+tail, want[0]); got[want[1]] != want[2] || len(got) != 1 {
			t.Errorf("%s says %v", tail, got)
		}
	}
	told := make(map[string]Publication)
	for _, e := range es {
		for _, a := range e.Actions {
			told[a.Name] = a.Publish(map[string]any{"on": true, "to": "close", "value": 40.0})[0]
		}
	}
	want := map[string]Publication{
		"relay_0":      {"shellies/shelly25-A0B1/relay/0/command", "on", false},
		"roller_0":     {"shellies/shelly25-A0B1/roller/0/command", "close", false},
		"roller_0_pos": {"shellies/shelly25-A0B1/roller/0/command/pos", "40", false},
	}
	if !maps.Equal(told, want) {
		t.Errorf("told is %v", told)
	}
	if there := Common(es)["shellies/shelly25-A0B1/online"]; there.yes != "true" {
		t.Errorf("whether it is there is %+v", Common(es))
	}
}

// A node that sends as many components as it likes does not fill the memory.
func TestShellyIsBounded(t *testing.T) {
	t.Parallel()
	s := NewShelly("x", "y/rpc").(*Shelly2)
	for i := range 1000 {
		s.Hear(&Message{Payload: `{"tC":1}`}, fmt.Sprint("x/status/temperature:", i))
		s.Hear(&Message{Payload: `{"a":1}`}, fmt.Sprintf("x/status/k%d:0", i))
	}
	s.Hear(&Message{Payload: `{"tC":1}`}, "x/status/temperature:0/../é")
	if n := len(s.Entities()); n != maxShellyParts {
		t.Errorf("%d components are known", n)
	}
	if c := Capabilities(s.Entities()); domain.CheckCapabilities("", c) != nil {
		t.Errorf("it is not valid: %v", domain.CheckCapabilities("", c))
	}
}
