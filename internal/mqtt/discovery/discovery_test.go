package discovery

import (
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestTemplates(t *testing.T) {
	t.Parallel()
	const z2m = `{"battery":97,"humidity":55.2,"occupancy":true,"update":{"state":"idle"},"list":[1,2],"none":null,"s":"5"}`
	for src, want := range map[string]string{
		``:                                                                z2m,
		`{{ value_json["humidity"] }}`:                                    "55.2",
		`{{ value_json.update.state }}`:                                   "idle",
		`{{value_json['battery']}}`:                                       "97",
		`{{ value_json.list[1] }}`:                                        "2",
		`{{ value_json.missing }}`:                                        "",
		`{{ value_json.none }}`:                                           "",
		`{{ value_json.occupancy }}`:                                      "True",
		`{{ value_json.s | int * 2 }}`:                                    "10",
		`{{ value_json.missing | default('x') }}`:                         "x",
		`{{ value_json.none | default('None', true) }}`:                   "None",
		`{{ value_json.humidity | round(0) }}`:                            "55",
		`{{ (value_json.battery / 2) | round(1) }}`:                       "48.5",
		`{{ 'ON' if value_json.battery > 50 else 'OFF' }}`:                "ON",
		`{{ value_json.update.state in ['idle', 'done'] and not false }}`: "True",
		`{% if value_json.occupancy %}true{% else %}false{% endif %}`:     "true",
		`{% if value_json.battery < 10 %}a{% elif value_json.battery < 98 %}b{% else %}c{% endif %}`: "b",
		`{% set values = {'idle': 'rest', 'busy': 'work'} %}{{ values[value_json.update.state] }}`:   "rest",
		`{{ {'idle': 1}[value_json.update.state] }}`:                                                 "1",
		`{% if "none" in value_json and value_json.none is none %}yes{% endif %}`:                    "yes",
		`{{ value_json.update | tojson }}`:                                                           `{"state":"idle"}`,
		`{{ value_json.get('gone', 7) }}`:                                                            "7",
		`{{ value.split(':')[0] | replace('"', '') | trim }}`:                                        "{battery",
		`{{ value_json.update.state | truncate(2, True, '') | upper }}`:                              "ID",
		`{"state": "{{ value_json.update.state }}", "x": {{ -1 + 2 ~ '!' }}}`:                        `{"state": "idle", "x": 1!}`,
	} {
		tpl, err := Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got, _, err := tpl.Apply(&Message{Payload: z2m})
		if err != nil || got != want {
			t.Errorf("%s gives %q, %v; want %q", src, got, err, want)
		}
	}
	for _, src := range []string{
		`{{ value_json. }}`, `{{ value`, `{% for x in y %}{% endfor %}`, `{% if 1 %}`, `{{ a | nothing }}`, `{{ 'x }}`,
		`{{ f(x) }}`, `{% endif %}`, strings.Repeat("(", 100), `{{` + strings.Repeat("(", 100) + `1` + strings.Repeat(")", 100) + `}}`,
		strings.Repeat("x", maxSource+1), strings.Repeat("{% if 1 %}", 50) + strings.Repeat("{% endif %}", 50),
	} {
		if tpl, err := Compile(src); err == nil && strings.Contains(src, "{") {
			t.Errorf("%.40s was compiled as %v", src, tpl)
		}
	}
}

// A template that doubles its values again and again ends soon.
func TestTemplatesAreBounded(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		`{% set a = value %}` + strings.Repeat(`{% set a = a ~ a %}`, 150) + `{{ a }}`,
		`{% set a = value %}` + strings.Repeat(`{% set a = a + a %}`, 150) + `{{ a }}`,
		`{% set a = [1] %}` + strings.Repeat(`{% set a = [a, a] %}`, 150) + `{{ a | tojson }}`,
		`{% set a = {} %}` + strings.Repeat(`{% set a = {1: a, 2: a} %}`, 100) + `{{ a }}`,
		`{% set a = value | replace('x', 'xxxxxxxx') %}` + strings.Repeat(`{% set a = a | replace('x', 'xxxxxxxx') %}`, 80),
	} {
		tpl, err := Compile(src)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, _, err := tpl.Apply(&Message{Payload: strings.Repeat("x", 100)}); err == nil {
			t.Errorf("%.60s gives %d bytes", src, len(got))
		}
	}
}

// recorded are announcements as the programs of makers send them, with a state and a command.
var recorded = []struct {
	name, topic, payload string
	sensor               string // its name, kind, unit
	state, shown         string // a payload, and the value that it is
	args                 map[string]any
	topicOut, payloadOut string
}{
	{
		name: "ESPHome, sensor", topic: "homeassistant/sensor/greenhouse/air/config",
		payload: `{"dev_cla":"temperature","unit_of_meas":"°C","stat_cla":"measurement","name":"Air",
			"stat_t":"greenhouse/sensor/air/state","avty_t":"greenhouse/status","uniq_id":"ESPsensorair","dev":{"ids":"a0b1c2d3e4f5",
			"name":"greenhouse","sw":"2026.9.1 (Sep 12 2026)","mdl":"esp32dev","mf":"Espressif","cns":[["mac","a0b1c2d3e4f5"]]}}`,
		sensor: "air number Cel", state: "21.4", shown: "21.4",
	},
	{
		name: "ESPHome, switch", topic: "homeassistant/switch/greenhouse/fan/config",
		payload: `{"name":"Fan","stat_t":"greenhouse/switch/fan/state","cmd_t":"greenhouse/switch/fan/command"}`,
		sensor:  "fan bool ", state: "ON", shown: "true",
		args: map[string]any{"on": true}, topicOut: "greenhouse/switch/fan/command", payloadOut: "ON",
	},
	{
		name: "ESPHome, light", topic: "homeassistant/light/greenhouse/lamp/config",
		payload: `{"schema":"json","supported_color_modes":["brightness"],"brightness":true,"name":"Lamp",
			"stat_t":"greenhouse/light/lamp/state","cmd_t":"greenhouse/light/lamp/command"}`,
		sensor: "lamp bool ", state: `{"state":"OFF","brightness":128}`, shown: "false",
		args:     map[string]any{"on": true, "brightness": 50.0},
		topicOut: "greenhouse/light/lamp/command", payloadOut: `{"brightness":128,"state":"ON"}`,
	},
	{
		name: "Tasmota before 2023", topic: "homeassistant/switch/C2D3E4_RL_1/config",
		payload: `{"name":"Pump","stat_t":"tele/pump/STATE","avty_t":"tele/pump/LWT","pl_avail":"Online","pl_not_avail":"Offline",
			"cmd_t":"cmnd/pump/POWER","val_tpl":"{{value_json.POWER}}","uniq_id":"C2D3E4_RL_1","dev":{"ids":["C2D3E4"]}}`,
		sensor: "pump bool ", state: `{"POWER":"ON"}`, shown: "true",
		args: map[string]any{"on": false}, topicOut: "cmnd/pump/POWER", payloadOut: "OFF",
	},
	{
		name: "zigbee2mqtt, behind a bridge", topic: "homeassistant/sensor/0x00158d0001020304/humidity/config",
		payload: `{"availability":[{"topic":"zigbee2mqtt/bridge/state","value_template":"{{ value_json.state }}"}],
			"device":{"identifiers":["zigbee2mqtt_0x00158d0001020304"],"name":"bed_3",
			"via_device":"zigbee2mqtt_bridge_0x00124b0011223344"},"device_class":"humidity","state_class":"measurement",
			"state_topic":"zigbee2mqtt/bed_3","unique_id":"0x00158d0001020304_humidity_zigbee2mqtt",
			"unit_of_measurement":"%","value_template":"{{ value_json[\"humidity\"] }}"}`,
		sensor: "bed_3/humidity number %RH", state: `{"battery":97,"humidity":55.2,"linkquality":120}`, shown: "55.2",
	},
	{
		name: "device form, base topic", topic: "homeassistant/device/node7/config",
		payload: `{"~":"node7","dev":{"ids":["node7"],"name":"Node"},"o":{"name":"x"},"cmps":{"t":{"p":"sensor","uniq_id":"t",
			"unit_of_meas":"°F","stat_t":"~/t"},"gone":{"p":"sensor"}}}`,
		sensor: "t number Cel", state: "212", shown: "100",
	},
	{
		name: "select", topic: "homeassistant/select/x/config",
		payload: `{"name":"Mode","stat_t":"x/mode","cmd_t":"x/mode/set","cmd_tpl":"{\"m\":\"{{ value }}\"}","ops":["eco","high"]}`,
		sensor:  "mode text ", state: "eco", shown: "eco",
		args: map[string]any{"value": "high"}, topicOut: "x/mode/set", payloadOut: `{"m":"high"}`,
	},
	{
		name: "number", topic: "homeassistant/number/x/config",
		payload: `{"name":"Goal","stat_t":"x/goal","cmd_t":"x/goal/set","min":5,"max":30,"step":0.5}`,
		sensor:  "goal number ", state: "nan", shown: "",
		args: map[string]any{"value": 21.5}, topicOut: "x/goal/set", payloadOut: "21.5",
	},
	{
		name: "button", topic: "homeassistant/button/x/config", payload: `{"name":"Restart","cmd_t":"x/restart"}`,
		args: map[string]any{}, topicOut: "x/restart", payloadOut: "PRESS",
	},
	{
		name: "binary sensor", topic: "homeassistant/binary_sensor/x/door/config",
		payload: `{"name":null,"stat_t":"x/door","pl_on":"open","pl_off":"closed"}`,
		sensor:  "door bool ", state: "open", shown: "true",
	},
	{
		name: "climate", topic: "homeassistant/climate/x/config",
		payload: `{"name":"Heater","curr_temp_t":"x/t","mode_cmd_t":"x/m","modes":["off","heat"],"temp_cmd_t":"x/g"}`,
		sensor:  "heater number Cel", state: "19.5", shown: "19.5",
		args: map[string]any{"temperature": 22.0}, topicOut: "x/g", payloadOut: "22",
	},
	{
		name: "climate in °F", topic: "homeassistant/climate/x/config",
		payload: `{"name":"Heater","curr_temp_t":"x/t","temp_unit":"F"}`,
		sensor:  "heater number Cel", state: "68", shown: "20",
	},
}

func shown(v domain.Value, ok bool) string {
	if !ok {
		return ""
	}
	switch v.Kind {
	case domain.BoolValue:
		return map[bool]string{true: "true", false: "false"}[v.Bool]
	case domain.NumberValue:
		return textOf(v.Number)
	}
	return v.Text
}

func TestRecordedAnnouncements(t *testing.T) {
	t.Parallel()
	for _, r := range recorded {
		es, err := Parse(r.topic, []byte(r.payload))
		if err != nil || len(es) != 1 || es[0].Note != "" {
			t.Errorf("%s: %+v, %v", r.name, es, err)
			continue
		}
		c, e := Capabilities(es), es[0]
		if err := domain.CheckCapabilities("", c); err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
		if r.sensor != "" {
			i := 0
			for i < len(e.Sensors)-1 && e.Sensors[i].Name != strings.Fields(r.sensor)[0] {
				i++
			}
			s := &e.Sensors[i]
			if got := s.Name + " " + string(s.Kind) + " " + s.Unit; got != r.sensor {
				t.Errorf("%s: the sensor is %q, want %q", r.name, got, r.sensor)
			}
			if got := shown(s.Value(&Message{Payload: r.state})); got != r.shown {
				t.Errorf("%s: %s shows %q, want %q", r.name, r.state, got, r.shown)
			}
		}
		if r.args != nil {
			if len(e.Actions) != 1 {
				t.Errorf("%s: the actions are %+v", r.name, e.Actions)
				continue
			}
			out := e.Actions[0].Publish(r.args)
			if len(out) != 1 || out[0].Topic != r.topicOut || out[0].Payload != r.payloadOut {
				t.Errorf("%s: publishes %+v, want %s to %s", r.name, out, r.payloadOut, r.topicOut)
			}
		}
	}
}

func TestEntitiesAreTitledAsInHomeAssistant(t *testing.T) {
	t.Parallel()
	const bridge = `"stat_t":"z","dev":{"ids":["z"],"name":"Bed","via_device":"bridge"}}`
	for payload, want := range map[string]string{
		`{"dev_cla":"carbon_dioxide",` + bridge:           "Bed Carbon dioxide",
		`{"dev_cla":"temperature","name":"Air",` + bridge: "Bed Air",
		`{"dev_cla":"temperature","name":null,` + bridge:  "Bed",
		`{` + bridge:                                        "Bed",
		`{"dev_cla":"temperature","stat_t":"z"}`:            "Temperature",
		`{"stat_t":"z","name":"Air","dev_cla":"frequency"}`: "Air",
	} {
		es, err := Parse("homeassistant/sensor/z/x/config", []byte(payload))
		if err != nil || len(es) != 1 || es[0].Title != want || es[0].Sensors[0].Title != want {
			t.Errorf("%s: %+v, %v; want the title %q", payload, es, err, want)
		}
	}
}

func TestStepsAndPercentagesFitPeople(t *testing.T) {
	t.Parallel()
	for temp, want := range map[string]float64{"0.5": 0.5, "0": 0, "-1": 0} {
		es, err := Parse("homeassistant/climate/x/config", []byte(`{"name":"X","temp_cmd_t":"g","temp_step":`+temp+`}`))
		if err != nil {
			t.Fatal(err)
		}
		c := Capabilities(es)
		if err := domain.CheckCapabilities("", c); err != nil {
			t.Error(err)
		}
		step := c.Actuators[0].Args[0].Step
		if want == 0 && step != nil || want != 0 && (step == nil || *step != want) {
			t.Errorf("a step of %s is %v", temp, step)
		}
	}
	es, err := Parse("homeassistant/light/x/config", []byte(`{"name":"X","schema":"json","brightness":true,"stat_t":"s","cmd_t":"c"}`))
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := es[0].Sensors[1].Value(&Message{Payload: `{"brightness":128}`}); shown(v, ok) != "50" {
		t.Errorf("a brightness of 128 is %s %%", shown(v, ok))
	}
}

func TestTasmotaAnnouncesItself(t *testing.T) {
	t.Parallel()
	es, err := ParseTasmota([]byte(`{"ip":"192.0.2.7","dn":"Pump","fn":["Pump",null],"mac":"A0B1C2D3E4F5","ofln":"Offline",
		"onln":"Online","state":["OFF","ON","TOGGLE","HOLD"],"sw":"15.0.1","t":"pump","ft":"%prefix%/%topic%/",
		"tp":["cmnd","stat","tele"],"rl":[1,0],"swc":[-1],"btn":[0],"so":{"4":0,"30":0},"lt_st":0,"ver":1}`),
		[]byte(`{"sn":{"Time":"2026-11-27T10:00:00","AM2301":{"Temperature":20.9,"Humidity":61},"TempUnit":"C"},"ver":1}`))
	if err != nil {
		t.Fatal(err)
	}
	c := Capabilities(es)
	if err := domain.CheckCapabilities("", c); err != nil {
		t.Error(err)
	}
	var names []string
	for _, s := range c.Sensors {
		names = append(names, s.Name+" "+s.Unit)
	}
	if got := strings.Join(names, ", "); got != "pump , am2301_humidity %RH, am2301_temperature Cel" {
		t.Errorf("sensors are %q", got)
	}
	values := map[string]string{}
	for topic, payload := range map[string]string{
		"stat/pump/RESULT": `{"POWER":"ON"}`,
		"tele/pump/SENSOR": `{"Time":"2026-11-27T10:05:00","AM2301":{"Temperature":21.5,"Humidity":60},"TempUnit":"C"}`,
	} {
		for _, e := range es {
			for i := range e.Sensors {
				if s := &e.Sensors[i]; s.Topic == topic {
					values[s.Name] = shown(s.Value(&Message{Payload: payload}))
				}
			}
		}
	}
	if values["pump"] != "true" || values["am2301_temperature"] != "21.5" || values["am2301_humidity"] != "60" {
		t.Errorf("values are %v", values)
	}
	if out := es[0].Actions[0].Publish(map[string]any{"on": true}); len(out) != 1 || out[0].Topic != "cmnd/pump/POWER" ||
		out[0].Payload != "ON" {
		t.Errorf("publishes %+v", out)
	}
}

func TestAnnouncementsThatAreRefused(t *testing.T) {
	t.Parallel()
	for topic, payload := range map[string]string{
		"homeassistant/sensor/a/config":     `[1]`,
		"homeassistant/sensor/a/b/c/config": `{}`,
		"homeassistant/device/a/config":     `{"cmps":{}}`,
		"homeassistant/device/b/config":     `{"dev":{"ids":"x"},"o":{"name":"x"},"cmps":{"t":{}}}`,
	} {
		if es, err := Parse(topic, []byte(payload)); err == nil {
			t.Errorf("%s was read as %+v", topic, es)
		}
	}
	for payload, note := range map[string]string{
		`{"p":"x"}`: "not supported", `{"stat_t":"a","val_tpl":"{% for x in y %}"}`: "not understood",
	} {
		component := map[bool]string{true: "sensor", false: "siren"}[strings.Contains(payload, "stat_t")]
		es, err := Parse("homeassistant/"+component+"/a/config", []byte(payload))
		if err != nil || len(es) != 1 || !strings.Contains(es[0].Note, note) {
			t.Errorf("%s: %+v, %v", payload, es, err)
		}
	}
	own, err := Parse("homeassistant/device/uh_7f3a/config", []byte(`{"dev":{"ids":["uh_7f3a"]},"o":{"name":"Unhidra"},
		"cmps":{"fan":{"p":"switch"}}}`))
	if err != nil || len(own) != 0 {
		t.Errorf("our own announcement was read as %+v, %v", own, err)
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(`{{ value_json["a"].b[0] | default('x', True) | round(1) }}`, `{"a":{"b":[1]}}`)
	f.Add(`{% set v = {'a': 1} %}{% if value == 'a' %}{{ v[value] }}{% elif 1 < 2 %}b{% else %}c{% endif %}`, `a`)
	f.Fuzz(func(t *testing.T, src, payload string) {
		tpl, err := Compile(src)
		if err != nil {
			return
		}
		m := &Message{Payload: payload}
		first, _, err := tpl.Apply(m)
		again, _, err2 := tpl.Apply(m)
		if (err == nil) != (err2 == nil) || err == nil && first != again && !strings.Contains(src, "tojson") {
			t.Errorf("%q gives %q and then %q", src, first, again)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, r := range recorded {
		f.Add(r.topic, []byte(r.payload))
	}
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		es, err := Parse(topic, payload)
		if err != nil {
			return
		}
		if err := domain.CheckCapabilities("", Capabilities(es)); err != nil {
			t.Errorf("%s gives what cannot be declared: %v", payload, err)
		}
	})
}
