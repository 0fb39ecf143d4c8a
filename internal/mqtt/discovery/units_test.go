package discovery

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// People say degrees Celsius and the like, also to a device that knows Fahrenheit alone.
func TestCommandsAreInTheUnitsOfReadings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		topic, payload string
		arg            string // unit, bounds, step
		args           map[string]any
		told           string
	}{
		{"climate", `"temp_cmd_t":"g","temp_unit":"F","min_temp":50,"max_temp":86,"temp_step":1`, "Cel 10..30 step 0",
			map[string]any{"temperature": 21.5}, "71"},
		{"climate", `"temp_cmd_t":"g","temp_unit":"F","min_temp":45,"max_temp":95,"temp_step":0.5`, "Cel 7.22222..35 step 0",
			map[string]any{"temperature": 7.22222}, "45"},
		{"climate", `"temp_cmd_t":"g","min_temp":7,"max_temp":30,"temp_step":0.5`, "Cel 7..30 step 0.5",
			map[string]any{"temperature": 21.5}, "21.5"},
		{"climate", `"temp_cmd_t":"g","temp_cmd_tpl":"{\"t\":{{ value }}}","temp_unit":"F"`, "Cel none step 0",
			map[string]any{"temperature": 20.0}, `{"t":68}`},
		{"number", `"cmd_t":"g","unit_of_meas":"°F","min":32,"max":212,"step":1`, "Cel 0..100 step 0",
			map[string]any{"value": 20.0}, "68"},
		{"number", `"cmd_t":"g","unit_of_meas":"kPa","min":1,"max":5,"step":0.1`, "Pa 1000..5000 step 0",
			map[string]any{"value": 2340.0}, "2.3"},
		{"number", `"cmd_t":"g","unit_of_meas":"s","min":0,"max":60`, "s 0..60 step 0", map[string]any{"value": 7.0}, "7"},
	} {
		es, err := Parse(Prefix+c.topic+"/x/config", []byte(`{"name":"X",`+c.payload+`}`))
		if err != nil {
			t.Fatal(err)
		}
		declared := Capabilities(es)
		if err := domain.CheckCapabilities("", declared); err != nil || len(declared.Actuators) != 1 {
			t.Errorf("%s: %+v, %v", c.payload, declared, err)
			continue
		}
		arg, bounds, step := declared.Actuators[0].Args[0], "none", 0.0
		if arg.Min != nil && arg.Max != nil {
			bounds = fmt.Sprint(textOf(*arg.Min), "..", textOf(*arg.Max))
		}
		if arg.Step != nil {
			step = *arg.Step
		}
		if got := fmt.Sprintf("%s %s step %v", arg.Unit, bounds, step); got != c.arg {
			t.Errorf("%s asks for %q, want %q", c.payload, got, c.arg)
		}
		if out := es[0].Actions[0].Publish(c.args); len(out) != 1 || out[0].Payload != c.told {
			t.Errorf("%s: %v tells %+v, want %s", c.payload, c.args, out, c.told)
		}
	}
}

// The speeds of a fan, of which it may have three, are a percentage here.
func TestSpeedsOfFansAreAPercentage(t *testing.T) {
	t.Parallel()
	es, err := Parse("homeassistant/fan/x/config", []byte(`{"name":"X","cmd_t":"c","pct_cmd_t":"p","pct_stat_t":"s",
		"spd_rng_max":3}`))
	if err != nil {
		t.Fatal(err)
	}
	Capabilities(es)
	for percent, speed := range map[float64]string{100: "3", 66: "2", 50: "2", 33: "1"} {
		out := es[0].Actions[0].Publish(map[string]any{"on": true, "percentage": percent})
		if len(out) != 2 || out[1].Payload != speed {
			t.Errorf("%v %% tells %+v, want %s", percent, out, speed)
		}
	}
	if v, ok := es[0].Sensors[0].Value(&Message{Payload: "2"}); shown(v, ok) != "67" {
		t.Errorf("the second of three speeds is %s %%", shown(v, ok))
	}
}

// Many programs announce numbers without a unit, a class or anything that says that they are numbers.
func TestKindsThatAreNotAnnouncedAreThoseOfTheValues(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"21.4,22":                "number: 21.4 22",
		"0":                      "number: 0",
		"-3e-05":                 "number: -0.00003",
		"nan,unavailable,7":      "number:   7",
		"idle,busy":              "text: idle busy",
		"idle,5":                 "text: idle 5",
		"5,idle,6":               "text: 5 idle 6",
		"0049301234":             "text: 0049301234",
		"2026.9.1":               "text: 2026.9.1",
		"0x10":                   "text: 0x10",
		"None,unknown":           ":  ",
		"1979-05-27T07:32:00Z,4": "text: 1979-05-27T07:32:00Z 4",
	} {
		es, err := Parse("homeassistant/sensor/x/config", []byte(`{"name":"X","stat_t":"s"}`))
		if err != nil {
			t.Fatal(err)
		}
		GiveNames(es)
		s := &es[0].Sensors[0]
		var got []string
		for value := range strings.SplitSeq(values, ",") {
			got = append(got, shown(s.Value(&Message{Payload: value})))
		}
		if got := string(s.Kind) + ": " + strings.Join(got, " "); got != want {
			t.Errorf("%s is %q, want %q", values, got, want)
		}
		if c := Declared(es); (len(c.Sensors) == 1) != (s.Kind != "") {
			t.Errorf("%s is declared as %+v", values, c.Sensors)
		}
	}
	es, err := Parse("homeassistant/sensor/x/config", []byte(`{"name":"X","stat_t":"s"}`))
	if err != nil {
		t.Fatal(err)
	}
	GiveNames(es)
	Settle(es, domain.Capabilities{Sensors: []domain.Sensor{{Name: "x", Kind: domain.TextArg}}})
	if v, ok := es[0].Sensors[0].Value(&Message{Payload: "5"}); shown(v, ok) != "5" || v.Kind != domain.TextValue {
		t.Errorf("what was a text before is %+v now", v)
	}
}

// What cannot be used is said, with its reason, and costs nothing else of the device.
func TestUnsupportedIsDeclared(t *testing.T) {
	t.Parallel()
	var es []*Entity
	for _, c := range [][2]string{
		{"sensor", `{"name":"Loop","stat_t":"a","val_tpl":"{% for x in y %}"}`},
		{"switch", `{"name":"Odd","cmd_t":"c","cmd_tpl":"{{ value | md5 }}"}`},
		{"siren", `{"name":"Siren"}`},
		{"number", `{"name":"Huge","stat_t":"h","cmd_t":"h","min":-1e300}`},
		{"sensor", `{"name":"Air","stat_t":"b","unit_of_meas":"V"}`},
	} {
		more, err := Parse(Prefix+c[0]+"/x/config", []byte(c[1]))
		if err != nil {
			t.Fatal(err)
		}
		es = append(es, more...)
	}
	GiveNames(es)
	c := Declared(es, Bad("homeassistant/x/y/config", errNoObject))
	if err := domain.CheckCapabilities("", c); err != nil {
		t.Error(err)
	}
	var got []string
	for _, u := range c.Unsupported {
		got = append(got, u.Name+": "+u.Why)
	}
	want := "homeassistant/x/y/config: an announcement is a JSON object; " +
		"Loop: the template is not understood: {% for %} is not understood; " +
		"Odd: the command template is not understood: the filter \"md5\" is not understood; " +
		"Siren: siren is not supported; Huge: "
	if s := strings.Join(got, "; "); !strings.HasPrefix(s, want) || len(got) != 5 {
		t.Errorf("what is not supported is %s", s)
	}
	if len(c.Sensors) != 2 || len(c.Actuators) != 0 {
		t.Errorf("the rest is %+v", c)
	}
	for range 2000 {
		es = append(es, &Entity{Name: strings.Repeat("x", maxText), Note: strings.Repeat("y", 1000)})
	}
	if err := domain.CheckCapabilities("", Declared(es)); err != nil {
		t.Error(err)
	}
}
