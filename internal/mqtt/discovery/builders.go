package discovery

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
)

// builders say what each kind of entity measures and can do.
var builders = map[string]func(d doc, e *Entity){
	"sensor": buildSensor, "binary_sensor": buildBinary, "switch": buildSwitch, "light": buildLight, "number": buildNumber,
	"select": buildSelect, "text": buildText, "button": buildButton, "cover": buildCover, "lock": buildLock,
	"fan": buildFan, "climate": buildClimate,
}

// textClasses are the device classes of sensors whose values are no numbers.
var textClasses = []string{"enum", "date", "timestamp"}

func buildSensor(d doc, e *Entity) {
	class, kind := d.text("device_class"), domain.ArgKind("")
	switch {
	case slices.Contains(textClasses, class) || d["options"] != nil:
		kind = domain.TextArg
	case d["unit_of_measurement"] != nil || d["state_class"] != nil || class != "":
		kind = domain.NumberArg
	}
	s := e.sensor(e.Name, kind, d.text("state_topic"), d.text("value_template"))
	if s == nil {
		return
	}
	s.guessed = kind == ""
	if kind == domain.TextArg {
		return
	}
	s.setUnit(d.text("unit_of_measurement"), class)
	if p := d.number("suggested_display_precision"); p != nil && *p >= 0 && *p <= domain.MaxPrecision {
		digits := int(*p)
		s.Precision = &digits
	}
}

func buildBinary(d doc, e *Entity) {
	if s := e.sensor(e.Name, domain.BoolArg, d.text("state_topic"), d.text("value_template")); s != nil {
		s.on, s.off = d.or("payload_on", "ON"), d.or("payload_off", "OFF")
	}
}

// onArg is the argument of what can be on or off.
var onArg = domain.Arg{Name: "on", Kind: domain.BoolArg, Required: true}

func buildSwitch(d doc, e *Entity) {
	on, off := d.or("payload_on", "ON"), d.or("payload_off", "OFF")
	if s := e.sensor(e.Name, domain.BoolArg, d.text("state_topic"), d.text("value_template")); s != nil {
		s.on, s.off = d.or("state_on", on), d.or("state_off", off)
	}
	topic, retain, template := d.text("command_topic"), d.text("retain") == "True", d.writer(e, "command_template")
	if topic == "" || template == nil {
		return
	}
	e.action(e.shows("on", e.Name, dial{}), func(args map[string]any) []Publication {
		payload := off
		if args["on"] == true {
			payload = on
		}
		return []Publication{{topic, template(payload), retain}}
	}, onArg)
}

// writer returns what makes a payload of a value by a command template; nil: it is not understood, so that what it
// commands cannot be told.
func (d doc) writer(e *Entity, key string) func(value string) string {
	src := d.text(key)
	if src == "" {
		return func(value string) string { return value }
	}
	t, err := Compile(src)
	if err != nil {
		e.Note = "the command template is not understood: " + err.Error()
		return nil
	}
	return func(value string) string {
		if text, ok, err := t.Apply(&Message{Payload: value}); err == nil && ok {
			return text
		}
		return value
	}
}

func ptr(n float64) *float64 { return &n }

func buildLight(d doc, e *Entity) {
	scale := 255.0
	if n := d.number("brightness_scale"); n != nil && *n > 0 {
		scale = *n
	}
	brightness := domain.Arg{Name: "brightness", Kind: domain.NumberArg, Unit: "%", Min: ptr(0), Max: ptr(100)}
	switch d.or("schema", "basic") {
	case "json":
		buildJSONLight(d, e, scale, brightness)
		return
	case "basic":
	default:
		e.Note = "lights of the schema " + d.text("schema") + " are not supported"
		return
	}
	on, off := d.or("payload_on", "ON"), d.or("payload_off", "OFF")
	if s := e.sensor(e.Name, domain.BoolArg, d.text("state_topic"), d.text("state_value_template")); s != nil {
		s.on, s.off = on, off
	}
	args := []domain.Arg{onArg}
	bri := d.text("brightness_command_topic")
	if bri != "" {
		args = append(args, brightness)
		if s := e.sensor(e.Name+"_brightness", domain.NumberArg, d.text("brightness_state_topic"),
			d.text("brightness_value_template")); s != nil {
			s.setPercent(100 / scale)
		}
	}
	topic := d.text("command_topic")
	e.action(e.shows("on", e.Name, dial{}), func(args map[string]any) []Publication {
		if args["on"] != true {
			return []Publication{{topic, off, false}}
		}
		all := []Publication{{topic, on, false}}
		if n, ok := args["brightness"].(float64); ok && bri != "" {
			all = append(all, Publication{bri, textOf(math.Round(n * scale / 100)), false})
		}
		return all
	}, args...)
}

// buildJSONLight reads a light whose states and commands are objects.
func buildJSONLight(d doc, e *Entity, scale float64, brightness domain.Arg) {
	topic := d.text("state_topic")
	if s := e.sensor(e.Name, domain.BoolArg, topic, "{{ value_json.state }}"); s != nil {
		s.on, s.off = "ON", "OFF"
	}
	args := []domain.Arg{onArg}
	if d.text("brightness") == "True" {
		args = append(args, brightness)
		if s := e.sensor(e.Name+"_brightness", domain.NumberArg, topic, "{{ value_json.brightness }}"); s != nil {
			s.setPercent(100 / scale)
		}
	}
	command := d.text("command_topic")
	e.action(e.shows("on", e.Name, dial{}), func(args map[string]any) []Publication {
		out := map[string]any{"state": "OFF"}
		if args["on"] == true {
			out["state"] = "ON"
			if n, ok := args["brightness"].(float64); ok {
				out["brightness"] = math.Round(n * scale / 100)
			}
		}
		b, _ := json.Marshal(out)
		return []Publication{{command, string(b), false}}
	}, args...)
}

// valueAction adds the action of what is set to a value; numbers are those of a dial.
func (d doc) valueAction(e *Entity, arg domain.Arg, numbers dial) {
	topic, write := d.text("command_topic"), d.writer(e, "command_template")
	if topic == "" || write == nil {
		return
	}
	arg.Name, arg.Required = "value", true
	e.action(e.shows("value", e.Name, numbers), func(args map[string]any) []Publication {
		value := args["value"]
		if n, ok := value.(float64); ok {
			value = numbers.told(n)
		}
		return []Publication{{topic, write(textOf(value)), d.text("retain") == "True"}}
	}, arg)
}

func buildNumber(d doc, e *Entity) {
	var unit Sensor
	unit.setUnit(d.text("unit_of_measurement"), d.text("device_class"))
	if s := e.sensor(e.Name, domain.NumberArg, d.text("state_topic"), d.text("value_template")); s != nil {
		s.Unit, s.scale = unit.Unit, unit.scale
	}
	numbers := d.dialOf(unit, "min", "max", "step")
	if numbers.min == nil {
		numbers.min = ptr(1)
	}
	if numbers.max == nil {
		numbers.max = ptr(100)
	}
	d.valueAction(e, numbers.arg("value"), numbers)
}

func buildSelect(d doc, e *Entity) {
	e.sensor(e.Name, domain.TextArg, d.text("state_topic"), d.text("value_template"))
	if options := d.texts("options"); len(options) > 0 {
		d.valueAction(e, domain.Arg{Kind: domain.ChoiceArg, Options: options}, dial{})
	}
}

func buildText(d doc, e *Entity) {
	e.sensor(e.Name, domain.TextArg, d.text("state_topic"), d.text("value_template"))
	d.valueAction(e, domain.Arg{Kind: domain.TextArg}, dial{})
}

func buildButton(d doc, e *Entity) {
	topic, write, press := d.text("command_topic"), d.writer(e, "command_template"), d.or("payload_press", "PRESS")
	if topic == "" || write == nil {
		return
	}
	e.action(nil, func(map[string]any) []Publication { return []Publication{{topic, write(press), false}} })
}

// choice adds an action whose words stand for payloads.
func (e *Entity) choice(topic string, signs []sign, payloads map[string]string, words ...string) {
	if topic == "" {
		return
	}
	e.action(signs, func(args map[string]any) []Publication {
		word, _ := args["to"].(string)
		return []Publication{{topic, payloads[word], false}}
	}, domain.Arg{Name: "to", Kind: domain.ChoiceArg, Options: words, Required: true})
}

func buildCover(d doc, e *Entity) {
	e.sensor(e.Name, domain.TextArg, d.text("state_topic"), d.text("value_template"))
	if s := e.sensor(e.Name+"_position", domain.NumberArg, d.text("position_topic"),
		d.text("position_template")); s != nil {
		s.Unit = "%"
	}
	signs := e.showsWord(e.Name, map[string]domain.Value{
		"open": domain.Text(d.or("state_open", "open")), "close": domain.Text(d.or("state_closed", "closed")),
	})
	if d.text("state_topic") == "" {
		signs = e.showsWord(e.Name+"_position", map[string]domain.Value{
			"open": d.position("position_open", 100), "close": d.position("position_closed", 0),
		})
	}
	e.choice(d.text("command_topic"), signs, map[string]string{
		"open": d.or("payload_open", "OPEN"), "close": d.or("payload_close", "CLOSE"), "stop": d.or("payload_stop", "STOP"),
	}, "open", "close", "stop")
}

func buildLock(d doc, e *Entity) {
	e.sensor(e.Name, domain.TextArg, d.text("state_topic"), d.text("value_template"))
	signs := e.showsWord(e.Name, map[string]domain.Value{
		"lock": domain.Text(d.or("state_locked", "LOCKED")), "unlock": domain.Text(d.or("state_unlocked", "UNLOCKED")),
	})
	e.choice(d.text("command_topic"), signs, map[string]string{
		"lock": d.or("payload_lock", "LOCK"), "unlock": d.or("payload_unlock", "UNLOCK"),
	}, "lock", "unlock")
}

func buildFan(d doc, e *Entity) {
	d["value_template"] = d["state_value_template"]
	buildSwitch(d, e)
	low, high := 1.0, 100.0
	for key, to := range map[string]*float64{"speed_range_min": &low, "speed_range_max": &high} {
		if n := d.number(key); n != nil {
			*to = *n
		}
	}
	speeds := math.Max(high-low+1, 1)
	if s := e.sensor(e.Name+"_percentage", domain.NumberArg, d.text("percentage_state_topic"),
		d.text("percentage_value_template")); s != nil {
		s.setPercent(100 / speeds)
		s.scale.offset = low - 1
	}
	topic, write := d.text("percentage_command_topic"), d.writer(e, "percentage_command_template")
	if topic == "" || write == nil || len(e.Actions) == 0 {
		return
	}
	a := &e.Actions[0]
	a.Args = append(a.Args, domain.Arg{Name: "percentage", Kind: domain.NumberArg, Unit: "%", Min: ptr(0), Max: ptr(100)})
	onOff := a.Publish
	a.Publish = func(args map[string]any) []Publication {
		all := onOff(args)
		if n, ok := args["percentage"].(float64); ok && args["on"] == true {
			all = append(all, Publication{topic, write(textOf(math.Ceil(n*speeds/100 + low - 1))), false})
		}
		return all
	}
}

func buildClimate(d doc, e *Entity) {
	for _, v := range []struct {
		name, topic, template string
		kind                  domain.ArgKind
	}{
		{"_mode", "mode_state_topic", "mode_state_template", domain.TextArg},
		{"_target", "temperature_state_topic", "temperature_state_template", domain.NumberArg},
		{"", "current_temperature_topic", "current_temperature_template", domain.NumberArg},
	} {
		if s := e.sensor(e.Name+v.name, v.kind, d.text(v.topic), d.text(v.template)); s != nil && v.kind == domain.NumberArg {
			s.setUnit(d.or("temperature_unit", "C"), "")
		}
	}
	var unit Sensor
	unit.setUnit(d.or("temperature_unit", "C"), "")
	numbers := d.dialOf(unit, "min_temp", "max_temp", "temp_step")
	mode, temp := d.text("mode_command_topic"), d.text("temperature_command_topic")
	writeMode, writeTemp := d.writer(e, "mode_command_template"), d.writer(e, "temperature_command_template")
	var args []domain.Arg
	if modes := d.texts("modes"); mode != "" && writeMode != nil && len(modes) > 0 {
		args = append(args, domain.Arg{Name: "mode", Kind: domain.ChoiceArg, Options: modes})
	}
	if temp != "" && writeTemp != nil {
		args = append(args, numbers.arg("temperature"))
	}
	if len(args) == 0 {
		return
	}
	signs := append(e.shows("mode", e.Name+"_mode", dial{}), e.shows("temperature", e.Name+"_target", numbers)...)
	e.action(signs, func(args map[string]any) (all []Publication) {
		if m, ok := args["mode"].(string); ok {
			all = append(all, Publication{mode, writeMode(m), false})
		}
		if n, ok := args["temperature"].(float64); ok {
			all = append(all, Publication{temp, writeTemp(textOf(numbers.told(n))), false})
		}
		return all
	}, args...)
}
