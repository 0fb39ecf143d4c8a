package discovery

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// greenhouse is a device of this server, with all kinds of sensors and actions.
func greenhouse() domain.DescribedDevice {
	digits := 1
	number := func(name, unit string, low, high float64) domain.Arg {
		return domain.Arg{Name: name, Kind: domain.NumberArg, Unit: unit, Min: &low, Max: &high, Required: true}
	}
	return domain.DescribedDevice{
		Device: domain.Device{ID: "dev_1", Name: "Greenhouse"},
		Capabilities: domain.Capabilities{
			Model: "GH-1", Firmware: "1.4",
			Sensors: []domain.Sensor{
				{Name: "air/temperature", Title: "Air", Unit: "Cel", Kind: domain.NumberArg, Precision: &digits},
				{Name: "meter", Unit: "kWh", Kind: domain.NumberArg}, {Name: "door", Kind: domain.BoolArg},
				{Name: "state", Kind: domain.TextArg}, {Name: "fan", Kind: domain.BoolArg},
				{Name: "target", Unit: "Cel", Kind: domain.NumberArg}, {Name: "lamp", Kind: domain.BoolArg},
				{Name: "lamp_brightness", Unit: "%", Kind: domain.NumberArg}, {Name: "mode", Kind: domain.TextArg},
				{Name: "air-temperature", Kind: domain.NumberArg}, {Name: "air:temperature", Kind: domain.NumberArg},
			},
			Actuators: []domain.Actuator{
				{Name: "fan", Title: "Fan", Args: []domain.Arg{{Name: "on", Kind: domain.BoolArg, Required: true}}},
				{Name: "target", Args: []domain.Arg{number("value", "Cel", 5, 35)}},
				{Name: "mode", Args: []domain.Arg{{Name: "to", Kind: domain.ChoiceArg, Options: []string{"eco", "high"}}}},
				{Name: "say", Args: []domain.Arg{{Name: "text", Kind: domain.TextArg, Required: true}}},
				{Name: "water"},
				{Name: "lamp", Args: []domain.Arg{{Name: "on", Kind: domain.BoolArg, Required: true},
					{Name: "brightness", Kind: domain.NumberArg, Unit: "%"}}},
				{Name: "erase", Destructive: true},
				{Name: "move", Args: []domain.Arg{number("x", "", 0, 1), number("y", "", 0, 1)}},
			},
		},
	}
}

// ownTopics are those of greenhouse.
var ownTopics = Topics{State: "uh/d/dev_1/state", Status: "uh/d/dev_1/status", Set: "uh/d/dev_1/set/"}

// What we announce is understood by whoever reads Home Assistant's discovery, as we do: the values are those of the
// state, and what is published for a command is read as the command.
func TestOwnAnnouncementsAreUnderstood(t *testing.T) {
	t.Parallel()
	d := greenhouse()
	doc := Announce(d, ownTopics)
	foreign := strings.Replace(string(doc), `"o":{"name":"Unhidra"}`, `"o":{"name":"another"}`, 1)
	es, err := Parse(OwnConfig("dev_1"), []byte(foreign))
	if err != nil {
		t.Fatal(err)
	}
	if own, err := Parse(OwnConfig("dev_1"), doc); err != nil || len(own) != 0 {
		t.Errorf("our own announcement was taken for that of a device: %+v, %v", own, err)
	}
	state := &Message{Payload: `{"air/temperature":21.4,"door":true,"state":"idle","fan":false,"target":22,"mode":"eco"}`}
	var kinds []string
	values := make(map[string]string)
	for _, e := range es {
		kinds = append(kinds, e.Component+" "+e.Title)
		for i := range e.Sensors {
			if e.Sensors[i].Topic != ownTopics.State {
				t.Errorf("%s is in %s", e.Title, e.Sensors[i].Topic)
			}
			if v, ok := e.Sensors[i].Value(state); ok {
				values[e.Title] = shown(v, ok) + " " + e.Sensors[i].Unit
			}
		}
		for _, a := range e.Actions {
			for _, args := range []map[string]any{{"on": true}, {"on": false}, {"value": 21.5}, {"value": "eco"}} {
				checkCommand(t, d.Capabilities, a, args)
			}
		}
	}
	slices.Sort(kinds)
	want := "binary_sensor door, button water, light lamp, number target, select mode, sensor Air, sensor " +
		"air-temperature, " +
		"sensor air:temperature, sensor meter, sensor state, switch Fan, text say"
	if got := strings.Join(kinds, ", "); got != want {
		t.Errorf("the entities are %s", got)
	}
	if want := map[string]string{"Air": "21.4 Cel", "door": "true ", "state": "idle ", "Fan": "false ", "target": "22 Cel",
		"mode": "eco "}; !maps.Equal(values, want) {
		t.Errorf("the values are %v", values)
	}
	if !strings.Contains(foreign, `"avty_t":"uh/d/dev_1/status"`) || !strings.Contains(foreign, `"sug_dsp_prc":1`) ||
		!strings.Contains(foreign, `"stat_cla":"total_increasing"`) || !strings.Contains(foreign, `"mdl":"GH-1"`) {
		t.Errorf("the announcement is %s", foreign)
	}
	if b := Announce(domain.DescribedDevice{Device: d.Device}, ownTopics); b != nil {
		t.Errorf("a device without anything is announced as %s", b)
	}
}

// checkCommand checks that what is published for an action is read as a command that fits, if the arguments are
// those of the action.
func checkCommand(t *testing.T, can domain.Capabilities, a Action, args map[string]any) {
	t.Helper()
	for name := range args {
		if !slices.ContainsFunc(a.Args, func(x domain.Arg) bool { return x.Name == name }) {
			return
		}
	}
	if _, isText := args["value"].(string); isText == (a.Args[0].Kind == domain.NumberArg) {
		return
	}
	out := a.Publish(args)[0]
	name := strings.TrimPrefix(out.Topic, ownTopics.Set)
	own, ok := can.Actuator(name)
	read, err := Args(own, out.Payload)
	if !ok || err != nil {
		t.Errorf("%s %s: %v", out.Topic, out.Payload, err)
		return
	}
	if _, err := domain.CheckCommand(can, domain.NewCommand{Action: name, Args: read}); err != nil {
		t.Errorf("%s %s is read as %v: %v", out.Topic, out.Payload, read, err)
	}
}

// A light is announced with templates, since its state and its commands are objects of ours.
func TestOwnLightsAreAnnouncedWithTemplates(t *testing.T) {
	t.Parallel()
	var doc struct{ Cmps map[string]map[string]any }
	if err := json.Unmarshal(Announce(greenhouse(), ownTopics), &doc); err != nil {
		t.Fatal(err)
	}
	light := doc.Cmps["lamp"]
	apply := func(key, payload string) string {
		t.Helper()
		tpl, err := Compile(light[key].(string))
		if err != nil {
			t.Fatal(err)
		}
		text, _, err := tpl.Apply(&Message{Payload: payload})
		if err != nil {
			t.Error(err)
		}
		return text
	}
	if got := apply("stat_tpl", `{"lamp":true}`) + apply("stat_tpl", `{"lamp":false}`); got != "onoff" {
		t.Errorf("the states are %s", got)
	}
	if got := apply("bri_tpl", `{"lamp_brightness":50}`); got != "128" && got != "127" {
		t.Errorf("the brightness is %s", got)
	}
	if light["cmd_off_tpl"] != `{"on":false}` {
		t.Errorf("the light is switched off by %v", light["cmd_off_tpl"])
	}
}

func TestArgsOfAProgramAreAnObjectOrTheValue(t *testing.T) {
	t.Parallel()
	can := greenhouse().Capabilities
	for _, c := range [][3]string{
		{"fan", "ON", `{"on":true}`}, {"fan", "false", `{"on":false}`}, {"fan", `{"on":true}`, `{"on":true}`},
		{"fan", "maybe", `{"on":"maybe"}`}, {"target", "21.5", `{"value":21.5}`}, {"mode", "eco", `{"to":"eco"}`},
		{"say", "21", `{"text":"21"}`}, {"water", "", `{}`}, {"water", "PRESS", `{}`}, {"lamp", "off", `{"on":false}`},
		{"move", "1", ""}, {"move", `{"x":1,"y":0}`, `{"x":1,"y":0}`}, {"fan", `{"on":`, ""},
	} {
		a, _ := can.Actuator(c[0])
		args, err := Args(a, c[1])
		b, _ := json.Marshal(args)
		if got := string(b); err == nil && got != c[2] || err != nil && c[2] != "" {
			t.Errorf("%s %s is %s, %v; want %s", c[0], c[1], got, err, c[2])
		}
	}
}
