package discovery

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// Topics are those by which a program follows a device of this server, and commands it.
type Topics struct {
	State  string // the last values, as an object
	Status string // online or offline; empty: it is not told
	Set    string // and the name of an action
}

// component is an entity as it is announced, with abbreviated keys.
type component map[string]any

// OwnConfig returns the topic of the announcement of a device.
func OwnConfig(device string) string { return Prefix + "device/" + device + "/config" }

// OwnDevice returns the device that OwnConfig names in a topic. The announcement of a device of this server is there,
// which no other may replace.
func OwnDevice(topic string) (device string, ok bool) {
	device, ok = strings.CutPrefix(strings.TrimSuffix(topic, "/config"), Prefix+"device/")
	ok = ok && domain.ValidID(domain.DevicePrefix, device) && topic == OwnConfig(device)
	return device, ok
}

// Announce returns the announcement of a device in the device form of Home Assistant's discovery, with a value
// for each sensor, and with the actions that Home Assistant has a kind of entity for: of those that ask again
// there is none. It returns nil if the device has nothing of this.
func Announce(d domain.DescribedDevice, t Topics) []byte {
	can, all := d.Capabilities, make(map[string]component)
	add := func(name, title string, c component) {
		key := unusedKey(all, strings.Map(keyRune, name))
		c["uniq_id"], c["name"] = d.ID+"_"+key, title
		if title == "" {
			c["name"] = name
		}
		all[key] = c
	}
	shown := make(map[string]bool)
	for _, a := range can.Actuators {
		if c, sensors := entityOf(a, can, t); c != nil {
			add(a.Name, a.Title, c)
			for _, name := range sensors {
				shown[name] = true
			}
		}
	}
	for _, s := range can.Sensors {
		if !shown[s.Name] {
			add(s.Name, s.Title, sensorEntity(s, t))
		}
	}
	if len(all) == 0 {
		return nil
	}
	doc := map[string]any{
		"dev": withText(component{"ids": []string{d.ID}, "name": d.Name}, "mdl", can.Model, "hw", can.Hardware,
			"sw", can.Firmware, "sn", can.Serial),
		"o": map[string]string{"name": ownOrigin}, "cmps": all,
	}
	if t.Status != "" {
		doc["avty_t"] = t.Status
	}
	b, err := json.Marshal(doc)
	if err != nil { // cannot happen: all numbers are finite
		return nil
	}
	return b
}

// withText adds those texts that are not empty, which follow their keys.
func withText(c component, pairs ...string) component {
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			c[pair[0]] = pair[1]
		}
	}
	return c
}

func keyRune(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
		return r
	}
	return '_'
}

func unusedKey(taken map[string]component, key string) string {
	try := key
	for n := 2; taken[try] != nil; n++ {
		try = fmt.Sprint(key, "_", n)
	}
	return try
}

// valueOf is the template of a sensor's value.
func valueOf(name string) string { return "{{ value_json.get('" + name + "', '') }}" }

// The values of a bool, as templates write them.
const (
	yes = "True"
	no  = "False"
)

func sensorEntity(s domain.Sensor, t Topics) component {
	c := component{"p": "sensor", "stat_t": t.State, "val_tpl": valueOf(s.Name)}
	switch s.Kind {
	case domain.BoolArg:
		c["p"], c["pl_on"], c["pl_off"] = "binary_sensor", yes, no
	case domain.NumberArg:
		unit := ownUnit(s.Unit)
		withText(c, "unit_of_meas", unit.name, "dev_cla", unit.class)
		c["stat_cla"] = "measurement"
		if unit.class == "energy" {
			c["stat_cla"] = "total_increasing"
		}
		if s.Precision != nil {
			c["sug_dsp_prc"] = *s.Precision
		}
	}
	return c
}

// mainArg returns the argument that says all of a command; ok is false if more are needed, and the name is
// empty if none is.
func mainArg(a domain.Actuator) (arg domain.Arg, ok bool) {
	required := slices.DeleteFunc(slices.Clone(a.Args), func(x domain.Arg) bool { return !x.Required })
	switch {
	case len(a.Args) == 0:
		return domain.Arg{}, true
	case len(required) == 1:
		return required[0], true
	case len(required) == 0 && len(a.Args) == 1:
		return a.Args[0], true
	}
	return domain.Arg{}, len(required) == 0
}

// entityOf returns the entity of an action, and the sensors whose values it shows; nil: there is none.
func entityOf(a domain.Actuator, can domain.Capabilities, t Topics) (c component, shown []string) {
	arg, ok := mainArg(a)
	if !ok || a.Destructive {
		return nil, nil
	}
	c = component{"cmd_t": t.Set + a.Name}
	quoted := quote(arg.Name)
	switch {
	case arg.Name == "":
		c["p"], c["pl_prs"] = "button", "{}"
		return c, nil
	case isLight(a, arg):
		return lightEntity(a, can, t)
	case arg.Kind == domain.BoolArg:
		c["p"], c["pl_on"], c["pl_off"] = "switch", "{"+quoted+":true}", "{"+quoted+":false}"
		c["stat_on"], c["stat_off"] = yes, no
	case arg.Kind == domain.NumberArg:
		numberEntity(c, arg)
		c["cmd_tpl"] = "{" + quoted + ":{{ value }}}"
	case arg.Kind == domain.ChoiceArg:
		c["p"], c["ops"], c["cmd_tpl"] = "select", arg.Options, "{"+quoted+":{{ value | tojson }}}"
	default:
		c["p"], c["max"], c["cmd_tpl"] = "text", 255, "{"+quoted+":{{ value | tojson }}}"
	}
	kind := arg.Kind
	if kind == domain.ChoiceArg {
		kind = domain.TextArg
	}
	if s, ok := can.Sensor(a.Name); ok && s.Kind == kind {
		c["stat_t"], c["val_tpl"] = t.State, valueOf(s.Name)
		return c, []string{s.Name}
	}
	return c, nil // Home Assistant takes what it asked for to be so
}

// anyNumber bounds a number that has none: without, Home Assistant takes it to be from 1 to 100.
const anyNumber = 1e6

func numberEntity(c component, arg domain.Arg) {
	c["p"], c["min"], c["max"], c["mode"] = "number", -anyNumber, anyNumber, "box"
	if arg.Min != nil {
		c["min"] = *arg.Min
	}
	if arg.Max != nil {
		c["max"] = *arg.Max
	}
	if arg.Step != nil {
		c["step"] = *arg.Step
	} else {
		c["step"] = 0.001 // the least that there is
	}
	unit := ownUnit(arg.Unit)
	withText(c, "unit_of_meas", unit.name, "dev_cla", unit.class)
}

// isLight reports whether an action is that of a light: on, and a brightness in percent.
func isLight(a domain.Actuator, main domain.Arg) bool {
	return main.Name == "on" && main.Kind == domain.BoolArg && slices.ContainsFunc(a.Args, func(x domain.Arg) bool {
		return x.Name == "brightness" && x.Kind == domain.NumberArg && x.Unit == "%"
	})
}

func lightEntity(a domain.Actuator, can domain.Capabilities, t Topics) (c component, shown []string) {
	c = component{"p": "light", "schema": "template", "cmd_t": t.Set + a.Name, "cmd_off_tpl": `{"on":false}`,
		"cmd_on_tpl": `{"on":true{% if brightness is defined %},"brightness":{{ (brightness / 2.55) | round(0) }}{% endif %}}`}
	if s, ok := can.Sensor(a.Name); ok && s.Kind == domain.BoolArg {
		c["stat_t"], c["stat_tpl"] = t.State, "{{ 'on' if value_json.get('"+s.Name+"') else 'off' }}"
		shown = append(shown, s.Name)
	}
	if s, ok := can.Sensor(a.Name + "_brightness"); ok && s.Kind == domain.NumberArg && c["stat_t"] != nil {
		c["bri_tpl"] = "{{ (value_json.get('" + s.Name + "', 0) * 2.55) | round(0) | int }}"
		shown = append(shown, s.Name)
	}
	return c, shown
}

// haUnit is a unit as Home Assistant writes it, and the class of what has it.
type haUnit struct{ name, class string }

// haUnits are the units of SenML that Home Assistant writes in another way, or that tell what is measured.
var haUnits = map[string]haUnit{
	"Cel": {"°C", "temperature"}, "K": {"K", "temperature"}, "%RH": {"%", "humidity"}, "%EL": {"%", "battery"},
	"V": {"V", "voltage"}, "mV": {"mV", "voltage"}, "A": {"A", "current"}, "mA": {"mA", "current"}, "W": {"W", "power"},
	"kW": {"kW", "power"}, "VA": {"VA", "apparent_power"}, "Wh": {"Wh", "energy"}, "kWh": {"kWh", "energy"},
	"lx": {"lx", "illuminance"}, "Pa": {"Pa", "pressure"}, "hPa": {"hPa", "pressure"}, "Hz": {"Hz", "frequency"},
	"dBm": {"dBm", "signal_strength"}, "m/s": {"m/s", "speed"}, "ug/m3": {"µg/m³", ""}, "m3": {"m³", ""},
	"l": {"L", ""}, "deg": {"°", ""}, "/": {"", ""},
}

func ownUnit(senml string) haUnit {
	if u, ok := haUnits[senml]; ok {
		return u
	}
	return haUnit{name: senml}
}

// Args reads what a program publishes for an action: an object of arguments, or the value of the only one that
// is needed.
func Args(a domain.Actuator, payload string) (map[string]any, error) {
	payload = strings.TrimSpace(payload)
	var args map[string]any
	if err := json.Unmarshal([]byte(payload), &args); err == nil && args != nil {
		return args, nil
	}
	arg, ok := mainArg(a)
	if !ok || strings.HasPrefix(payload, "{") || arg.Name == "" && len(a.Args) > 0 {
		return nil, domain.InvalidField("/args", "the payload is an object with the arguments of %s", a.Name)
	}
	if arg.Name == "" {
		return map[string]any{}, nil
	}
	var value any = payload
	switch word := strings.ToLower(payload); {
	case arg.Kind == domain.BoolArg && slices.Contains([]string{"on", "true", "1"}, word):
		value = true
	case arg.Kind == domain.BoolArg && slices.Contains([]string{"off", "false", "0"}, word):
		value = false
	case arg.Kind == domain.NumberArg:
		if n, err := strconv.ParseFloat(payload, 64); err == nil {
			value = n
		}
	}
	return map[string]any{arg.Name: value}, nil // CheckCommand says what does not fit
}
