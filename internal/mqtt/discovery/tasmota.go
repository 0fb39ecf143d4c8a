package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// TasmotaPrefix starts the topics by which Tasmota announces itself.
const TasmotaPrefix = "tasmota/discovery/"

// TasmotaTopic splits tasmota/discovery/MAC/config and .../sensors.
func TasmotaTopic(topic string) (mac, part string, ok bool) {
	rest, ok := strings.CutPrefix(topic, TasmotaPrefix)
	if !ok {
		return "", "", false
	}
	mac, part, ok = strings.Cut(rest, "/")
	return mac, part, ok && (part == "config" || part == "sensors")
}

// tasmota is what config says.
type tasmota struct {
	Name     string    `json:"dn"`
	Friendly []*string `json:"fn"`
	MAC      string    `json:"mac"`
	Model    string    `json:"md"`
	Software string    `json:"sw"`
	State    []string  `json:"state"`
	Topic    string    `json:"t"`
	Full     string    `json:"ft"`
	Prefixes []string  `json:"tp"`
	Relays   []int     `json:"rl"`
	Online   string    `json:"onln"`
	Offline  string    `json:"ofln"`
}

// ParseTasmota reads what a Tasmota node announces: config, and sensors, which may be missing.
func ParseTasmota(config, sensors []byte) ([]*Entity, error) {
	if len(config) == 0 {
		return nil, nil
	}
	var t tasmota
	if err := json.Unmarshal(config, &t); err != nil || t.Topic == "" || len(t.Prefixes) < 3 {
		return nil, errors.New("the announcement of a Tasmota node needs t and tp")
	}
	for len(t.State) < 2 {
		t.State = append(t.State, []string{"OFF", "ON"}[len(t.State)])
	}
	if t.Online == "" || t.Offline == "" {
		t.Online, t.Offline = "Online", "Offline"
	}
	dev := Device{ID: t.MAC, Name: line(t.Name), Model: line(t.Model), Firmware: line(t.Software)}
	all := t.relays(dev)
	defer func() {
		for _, e := range all {
			e.Available = []Availability{{Topic: t.topic(2, "LWT"), yes: t.Online, no: t.Offline}}
		}
	}()
	if len(sensors) == 0 {
		return all, nil
	}
	var s struct {
		Sensors map[string]any `json:"sn"`
	}
	if err := json.Unmarshal(sensors, &s); err != nil {
		return all, errors.New("the sensors of a Tasmota node are a JSON object")
	}
	all = append(all, t.measured(dev, s.Sensors)...)
	return all, nil
}

// topic returns the full topic of a prefix: 0 commands, 1 states, 2 telemetry.
func (t *tasmota) topic(prefix int, rest string) string {
	full := strings.NewReplacer("%prefix%", t.Prefixes[prefix], "%topic%", t.Topic).Replace(t.Full)
	if full == "" {
		full = t.Prefixes[prefix] + "/" + t.Topic + "/"
	}
	if !strings.HasSuffix(full, "/") {
		full += "/"
	}
	return full + rest
}

// The kinds of relays.
const (
	relay = 1
	light = 2
)

func (t *tasmota) relays(dev Device) (all []*Entity) {
	count := 0
	for _, kind := range t.Relays {
		if kind != 0 {
			count++
		}
	}
	for i, kind := range t.Relays {
		if kind == 0 {
			continue
		}
		power := "POWER"
		if count > 1 {
			power = fmt.Sprint("POWER", i+1)
		}
		e := &Entity{Key: fmt.Sprint("tasmota/", t.MAC, "/", power), Component: "switch", Device: dev}
		if i < len(t.Friendly) && t.Friendly[i] != nil {
			e.Title, e.Name = line(*t.Friendly[i]), slug(*t.Friendly[i])
		}
		if e.Name == "" {
			e.Name = strings.ToLower(power)
		}
		if kind != relay && kind != light {
			e.Note = "shutters are not supported"
			all = append(all, e)
			continue
		}
		t.relay(e, power, kind)
		all = append(all, e)
	}
	return all
}

// relay makes a switch or a light of e. Its state is in two topics: the answer to a command, and
// what is sent every few minutes.
func (t *tasmota) relay(e *Entity, power string, kind int) {
	for _, topic := range []string{t.topic(1, "RESULT"), t.topic(2, "STATE")} {
		if s := e.sensor(e.Name, domain.BoolArg, topic, "{{ value_json."+power+" }}"); s != nil {
			s.on, s.off = t.State[1], t.State[0]
		}
	}
	args := []domain.Arg{onArg}
	if kind == light {
		e.Component = "light"
		args = append(args, domain.Arg{Name: "brightness", Kind: domain.NumberArg, Unit: "%", Min: ptr(0), Max: ptr(100)})
		for _, topic := range []string{t.topic(1, "RESULT"), t.topic(2, "STATE")} {
			if s := e.sensor(e.Name+"_brightness", domain.NumberArg, topic, "{{ value_json.Dimmer }}"); s != nil {
				s.Unit = "%"
			}
		}
	}
	command, dimmer, on, off := t.topic(0, power), t.topic(0, "Dimmer"), t.State[1], t.State[0]
	e.action(e.shows("on", e.Name, dial{}), func(args map[string]any) []Publication {
		if args["on"] != true {
			return []Publication{{command, off, false}}
		}
		if n, ok := args["brightness"].(float64); ok {
			return []Publication{{command, on, false}, {dimmer, textOf(n), false}}
		}
		return []Publication{{command, on, false}}
	}, args...)
}

// tasmotaUnits are those of values by their names.
var tasmotaUnits = map[string]string{
	"Humidity": "%RH", "Voltage": "V", "Current": "A", "Power": "W", "ApparentPower": "VA", "ReactivePower": "var",
	"Total": "kWh", "Today": "kWh", "Yesterday": "kWh", "Illuminance": "lx", "CarbonDioxide": "ppm", "eCO2": "ppm",
	"DewPoint": "Cel", "Distance": "cm", "PM2.5": "ug/m3", "PM10": "ug/m3", "Frequency": "Hz", "Factor": "/",
}

// measured returns the sensors of sn, whose shape is that of the messages.
func (t *tasmota) measured(dev Device, sn map[string]any) (all []*Entity) {
	temp, _ := sn["TempUnit"].(string)
	pressure, _ := sn["PressureUnit"].(string)
	for _, chip := range sortedKeys(sn) {
		values, ok := sn[chip].(map[string]any)
		if !ok {
			continue
		}
		for _, key := range sortedKeys(values) {
			if _, isNumber := values[key].(float64); !isNumber && values[key] != nil {
				continue
			}
			e := &Entity{Key: "tasmota/" + t.MAC + "/" + chip + "/" + key, Component: "sensor", Device: dev,
				Title: line(chip + " " + key), Name: slug(chip + "_" + key)}
			s := e.sensor(e.Name, domain.NumberArg, t.topic(2, "SENSOR"), "{{ value_json["+quote(chip)+"]["+quote(key)+"] }}")
			if s == nil {
				continue
			}
			switch key {
			case "Temperature", "DewPoint":
				s.setUnit("°"+temp, "")
			case "Pressure", "SeaPressure":
				s.setUnit(pressure, "")
			default:
				s.Unit = tasmotaUnits[key]
			}
			all = append(all, e)
		}
	}
	return all
}

// quote writes a text as a literal of templates.
func quote(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
