// Package discovery reads how devices announce themselves by MQTT: Home Assistant's discovery, in both
// its forms, and Tasmota's own. It says what such a device measures and can do, in which messages its
// states are, and what to publish for a command. It publishes and stores nothing itself.
package discovery

import (
	"fmt"
	"math"
	"strings"
	"unicode"

	"github.com/unhidra/unhidra/internal/domain"
)

// Device is what an announcement says about the device.
type Device struct {
	ID, Name, Model, Hardware, Firmware, Serial string
	Via                                         string // id of the bridge that it is behind
}

// Entity is one thing that was announced.
type Entity struct {
	Key       string // stable over restarts
	Component string // sensor, switch, ...
	Name      string // of its sensors and actions, as a capability
	Title     string // for people
	Device    Device
	Sensors   []Sensor
	Actions   []Action
	Note      string // what is not understood; empty: all is
}

// Sensor is a value of an entity, and how it is read.
type Sensor struct {
	domain.Sensor
	Topic    string
	template *Template
	on, off  string  // payloads of a bool
	factor   float64 // to the unit; 0: none
	offset   float64 // is subtracted before
	whole    bool    // numbers are rounded
}

// Action is what an entity can be told.
type Action struct {
	domain.Actuator
	// Publish returns what to publish for arguments, which fit.
	Publish func(args map[string]any) []Publication
	signs   []sign
}

// A sign is a sensor that shows that an action was done.
type sign struct {
	sensor string
	// wanted returns which values show it; nil: for these arguments the sensor does not matter.
	wanted func(args map[string]any) func(v domain.Value) bool
}

// Wanted returns the sensors that show that the action was done with these arguments, and by which
// values: all of them must. There are none if no message tells.
func (a *Action) Wanted(args map[string]any) map[string]func(v domain.Value) bool {
	all := make(map[string]func(domain.Value) bool)
	for _, s := range a.signs {
		if shows := s.wanted(args); shows != nil && s.sensor != "" {
			all[s.sensor] = shows
		}
	}
	return all
}

// Publication is a message to a device.
type Publication struct {
	Topic, Payload string
	Retain         bool
}

// maxText is how many characters of a title or name are kept.
const maxText = 64

// Value returns what a message says of the sensor; ok is false if that is nothing.
func (s *Sensor) Value(m *Message) (v domain.Value, ok bool) {
	text, ok, err := s.template.Apply(m)
	if err != nil || !ok || text == "" || text == "None" || text == "unknown" {
		return v, false
	}
	switch s.Kind {
	case domain.BoolArg:
		switch text {
		case s.on:
			return domain.Bool(true), true
		case s.off:
			return domain.Bool(false), true
		}
		switch strings.ToLower(text) {
		case "true", "on":
			return domain.Bool(true), true
		case "false", "off":
			return domain.Bool(false), true
		}
		return v, false
	case domain.NumberArg:
		n, ok := number(text)
		if !ok {
			return v, false // a node that starts says nan
		}
		return domain.Number(s.convert(n)), true
	}
	return domain.Text(cut(text, 255)), true
}

// convert returns a number as it is in the sensor's unit.
func (s *Sensor) convert(n float64) float64 {
	n -= s.offset
	if s.factor != 0 {
		n *= s.factor
	}
	if s.whole {
		n = math.Round(n)
	}
	return n
}

// setPercent makes a number one in whole percent.
func (s *Sensor) setPercent(factor float64) { s.Unit, s.factor, s.whole = "%", factor, true }

// slug makes a text the name of a capability.
func slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == 'ä' || r == 'ö' || r == 'ü' || r == 'ß':
			b.WriteString(map[rune]string{'ä': "ae", 'ö': "oe", 'ü': "ue", 'ß': "ss"}[r])
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	return strings.Trim(cut(b.String(), maxText), "_")
}

// line makes a text one that is shown: without control characters, and not too long.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(cut(strings.TrimSpace(s), maxText))
}

func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n])
}

// unit is what a unit is in SenML, and how values get there.
type unit struct {
	senml          string
	factor, offset float64
}

var units = map[string]unit{
	"°C": {"Cel", 0, 0}, "C": {"Cel", 0, 0}, "°F": {"Cel", 1 / 1.8, 32}, "F": {"Cel", 1 / 1.8, 32},
	"kPa": {"Pa", 1e3, 0}, "bar": {"Pa", 1e5, 0}, "mbar": {"hPa", 0, 0}, "psi": {"Pa", 6894.76, 0},
	"ppb": {"ppm", 1e-3, 0}, "µg/m³": {"ug/m3", 0, 0}, "μg/m³": {"ug/m3", 0, 0}, "m³": {"m3", 0, 0}, "L": {"l", 0, 0},
	"L/min": {"m3/s", 1.0 / 60000, 0}, "m³/h": {"m3/s", 1.0 / 3600, 0}, "°": {"deg", 0, 0},
	"µS/cm": {"S/m", 1e-4, 0}, "μS/cm": {"S/m", 1e-4, 0}, "lux": {"lx", 0, 0}, "sec": {"s", 0, 0}, "seconds": {"s", 0, 0},
	"minutes": {"min", 0, 0}, "Hours": {"h", 0, 0}, "Hr": {"h", 0, 0}, "meters": {"m", 0, 0},
}

// setUnit gives a sensor a unit as announcements have it. One that is not known is kept.
func (s *Sensor) setUnit(u, class string) {
	switch {
	case u == "%" && class == "humidity":
		s.Unit = "%RH"
	case u == "%" && class == "battery":
		s.Unit = "%EL"
	default:
		known, ok := units[u]
		if !ok {
			known.senml = strings.ReplaceAll(cut(line(u), domain.MaxUnit), " ", "_")
		}
		s.Unit, s.factor, s.offset = known.senml, known.factor, known.offset
	}
}

// Capabilities joins what entities of a device can do. Names that come twice get a number, and what is too
// much is left out: it has no name afterwards. The names in es become those of the capabilities.
func Capabilities(es []*Entity) domain.Capabilities {
	sensors, actions := make(map[string]bool), make(map[string]bool)
	for _, e := range es {
		renamed := make(map[string]string) // one value may be in several topics
		for i := range e.Sensors {
			s := &e.Sensors[i]
			name, known := renamed[s.Name]
			if !known && len(sensors) == domain.MaxDeclared {
				e.Note, s.Name = "there are too many sensors", ""
				continue
			}
			if !known {
				name = unused(sensors, s.Name)
				renamed[s.Name] = name
			}
			s.Name = name
		}
		for i := range e.Actions {
			a := &e.Actions[i]
			if len(actions) == domain.MaxActuators {
				e.Note, a.Name = "there are too many actions", ""
				continue
			}
			a.Name = unused(actions, a.Name)
			for j := range a.signs {
				a.signs[j].sensor = renamed[a.signs[j].sensor]
			}
		}
	}
	return Declared(es)
}

// Declared returns the capabilities of entities that Capabilities has given names.
func Declared(es []*Entity) (c domain.Capabilities) {
	seen := make(map[string]bool)
	for _, e := range es {
		if e.Device.Via == "" && c.Model == "" {
			c.Model, c.Hardware, c.Firmware, c.Serial = e.Device.Model, e.Device.Hardware, e.Device.Firmware, e.Device.Serial
		}
		for _, s := range e.Sensors {
			if s.Name != "" && !seen[s.Name] {
				seen[s.Name] = true
				c.Sensors = append(c.Sensors, s.Sensor)
			}
		}
		for _, a := range e.Actions {
			if a.Name != "" {
				c.Actuators = append(c.Actuators, a.Actuator)
			}
		}
	}
	return c
}

func unused(taken map[string]bool, name string) string {
	try := name
	for n := 2; taken[try]; n++ {
		try = fmt.Sprintf("%s_%d", cut(name, maxText-4), n)
	}
	taken[try] = true
	return try
}
