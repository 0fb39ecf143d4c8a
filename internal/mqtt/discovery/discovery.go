// Package discovery reads how devices announce themselves by MQTT: Home Assistant's discovery, in both
// its forms, and Tasmota's own. It says what such a device measures and can do, in which messages its
// states are, and what to publish for a command. It publishes and stores nothing itself.
package discovery

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/unhidra/unhidra/internal/domain"
)

// Device is what an announcement says about the device.
type Device struct {
	ID, Name, Model, Hardware, Firmware, Serial string
	Via                                         string // id of the bridge that it is behind
	apart                                       bool   // its names need not tell it from others behind that
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
	Available []Availability
	Note      string // what is not understood; empty: all is
}

// Sensor is a value of an entity, and how it is read.
type Sensor struct {
	domain.Sensor
	Topic    string
	template *Template
	on, off  string // payloads of a bool
	scale    scale
	guessed  bool // the kind is that of its values; without any yet it is empty
	failed   error
}

// Action is what an entity can be told.
type Action struct {
	domain.Actuator
	// Publish returns what to publish for arguments, which fit.
	Publish func(args map[string]any) []Publication
	// Request returns the same with an id, under which the device answers whether it was done; nil: it is Publish.
	Request func(id int64, args map[string]any) Publication
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

// Value returns what a message says of the sensor; ok is false if that is nothing. It may change the kind
// of a sensor whose kind was not announced.
func (s *Sensor) Value(m *Message) (v domain.Value, ok bool) {
	text, ok, err := s.template.Apply(m)
	if err != nil {
		s.failed = err
	}
	if err != nil || !ok || text == "" || text == "None" || text == "unknown" {
		return v, false
	}
	if s.guessed {
		s.guess(text)
	}
	switch s.Kind {
	case "":
		return v, false
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
		return domain.Number(s.scale.convert(n)), true
	}
	return domain.Text(cut(text, 255)), true
}

// plainNumber is a number as devices write measured values: a telephone number or a version is none.
var plainNumber = regexp.MustCompile(`^[+-]?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$`)

// guess finds the kind of a sensor from a value. One that was not a number once is a text for good.
func (s *Sensor) guess(value string) {
	switch _, isNumber := number(value); {
	case s.Kind == domain.TextArg || slices.Contains(noValues, strings.ToLower(value)):
	case isNumber && plainNumber.MatchString(strings.TrimSpace(value)):
		if s.Kind == "" {
			s.Kind = domain.NumberArg
		}
	default:
		s.Kind, s.Unit, s.scale, s.Precision = domain.TextArg, "", scale{}, nil
	}
}

// noValues are what devices say without a value, by which nobody can tell its kind.
var noValues = []string{"nan", "inf", "-inf", "unavailable", "null"}

// Settle gives sensors whose kind was not announced the one that is known of them from before.
func Settle(es []*Entity, known domain.Capabilities) {
	for _, e := range es {
		for i := range e.Sensors {
			s := &e.Sensors[i]
			if before, ok := known.Sensor(s.Name); ok && s.Kind == "" && before.Kind != domain.BoolArg {
				s.Kind = before.Kind
			}
		}
	}
}

// Unsettled reports whether the kind of the sensor is not known yet.
func (s *Sensor) Unsettled() bool { return s.Kind == "" }

// Failed returns what went wrong when the template was last applied; nil: nothing.
func (s *Sensor) Failed() error { return s.failed }

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
func line(s string) string { return strings.TrimSpace(cut(printable(s), maxText)) }

// printable returns a text without what cannot be shown.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s))
}

func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n])
}

// Capabilities joins what entities of a device can do. The names in es become those of the capabilities.
func Capabilities(es []*Entity) domain.Capabilities {
	GiveNames(es)
	return Declared(es)
}

// GiveNames gives sensors and actions of a device the names that its capabilities have. Names that come twice
// get a number, and what is too much, or cannot be declared, has no name afterwards.
func GiveNames(es []*Entity) {
	sensors, actions := make(map[string]bool), make(map[string]bool)
	for _, e := range es {
		renamed := make(map[string]string) // one value may be in several topics
		for i := range e.Sensors {
			s := &e.Sensors[i]
			name, known := renamed[s.Name]
			if why := refused(domain.Capabilities{Sensors: []domain.Sensor{s.declared()}}); why != "" {
				e.Note, s.Name = why, ""
				continue
			}
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
			if why := refused(domain.Capabilities{Actuators: []domain.Actuator{a.Actuator}}); why != "" {
				e.Note, a.Name = why, ""
				continue
			}
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
}

// declared returns the sensor as it is declared: one whose kind is not known as a number.
func (s *Sensor) declared() domain.Sensor {
	d := s.Sensor
	if d.Kind == "" {
		d.Kind = domain.NumberArg
	}
	return d
}

// refused says why a sensor or an action cannot be declared; empty: it can.
func refused(c domain.Capabilities) string {
	var e *domain.Error
	if errors.As(domain.CheckCapabilities("", c), &e) {
		return e.Msg
	}
	return ""
}

// Bad says that an announcement could not be read.
func Bad(topic string, err error) domain.Unsupported {
	return domain.Unsupported{Name: cut(printable(topic), maxText), Why: cut(printable(err.Error()), domain.MaxWhy)}
}

// Declared returns the capabilities of entities that have got names, with what of them is not supported, and
// what else is not.
func Declared(es []*Entity, bad ...domain.Unsupported) (c domain.Capabilities) {
	c.Unsupported = slices.Clone(bad[:min(len(bad), domain.MaxUnsupported)])
	seen := make(map[string]bool)
	for _, e := range es {
		if (e.Device.Via == "" || e.Device.apart) && c.Model == "" {
			c.Model, c.Hardware, c.Firmware, c.Serial = e.Device.Model, e.Device.Hardware, e.Device.Firmware, e.Device.Serial
		}
		for _, s := range e.Sensors {
			if s.Name != "" && s.Kind != "" && !seen[s.Name] {
				seen[s.Name] = true
				c.Sensors = append(c.Sensors, s.Sensor)
			}
		}
		for _, a := range e.Actions {
			if a.Name != "" {
				c.Actuators = append(c.Actuators, a.Actuator)
			}
		}
		if e.Note != "" && len(c.Unsupported) < domain.MaxUnsupported {
			c.Unsupported = append(c.Unsupported, domain.Unsupported{Name: e.label(),
				Why: cut(printable(e.Note), domain.MaxWhy)})
		}
	}
	if b, err := json.Marshal(c); err != nil || len(b) > domain.MaxCapabilities {
		c.Unsupported = nil
	}
	return c
}

// label is what people know an entity by.
func (e *Entity) label() string {
	return line(cmp.Or(e.Title, e.Name, e.Component))
}

func unused(taken map[string]bool, name string) string {
	try := name
	for n := 2; taken[try]; n++ {
		try = fmt.Sprintf("%s_%d", cut(name, maxText-4), n)
	}
	taken[try] = true
	return try
}
