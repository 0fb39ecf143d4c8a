package domain

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what a device declares.
const (
	MaxDeclared       = 64 // sensors
	MaxActuators      = 32
	MaxSettings       = 64
	MaxActuatorArgs   = 16
	MaxArgOptions     = 32
	MaxArgText        = 1024     // bytes of a text as argument or setting
	MaxUnit           = 16       // characters
	MaxPrecision      = 10       // digits after the decimal point
	MaxCapabilities   = 32 << 10 // bytes of all of it, as JSON
	MinHeartbeat      = 5        // seconds
	MaxHeartbeat      = 24 * 60 * 60
	MaxUnsupported    = 32
	MaxWhy            = 128 // characters of why something is not supported
	maxCapabilityText = 64  // characters of titles, models and the like
	maxBound          = 1e15
)

// Capabilities are what a device says about itself: what it measures, what it can be told to
// do, and what can be set. The JSON is the stored form and that of the protocol.
type Capabilities struct {
	Model     string     `json:"model,omitempty" maxLength:"64"`
	Hardware  string     `json:"hardware,omitempty" maxLength:"64" doc:"hardware revision"`
	Firmware  string     `json:"firmware,omitempty" maxLength:"64" doc:"version"`
	Serial    string     `json:"serial,omitempty" maxLength:"64" doc:"serial number"`
	Heartbeat int        `json:"heartbeat,omitempty" doc:"seconds; the device sends something at least so often; offline after 2.5 times that, 5 to 86400; absent: it keeps a connection open"`
	Sensors   []Sensor   `json:"sensors,omitempty" maxItems:"64"`
	Actuators []Actuator `json:"actuators,omitempty" maxItems:"32"`
	Settings  []Arg      `json:"settings,omitempty" maxItems:"64"`

	Unsupported []Unsupported `json:"unsupported,omitempty" maxItems:"32" doc:"what a device that announces itself has beside, which cannot be used here"`
}

// Unsupported is what a device has announced and this server does not use.
type Unsupported struct {
	Name string `json:"name" maxLength:"64" doc:"for people"`
	Why  string `json:"why" maxLength:"128"`
}

// Sensor is one thing that a device measures.
type Sensor struct {
	Name      string   `json:"name" maxLength:"64" doc:"unique among the sensors: letters, digits and - : . / _, beginning with a letter or digit"`
	Title     string   `json:"title,omitempty" maxLength:"64" doc:"for people"`
	Unit      string   `json:"unit,omitempty" maxLength:"16" doc:"of the SenML registry if it has one: Cel, %RH, V"`
	Kind      ArgKind  `json:"kind" enum:"number,bool,text"`
	Min       *float64 `json:"min,omitempty" doc:"of a number"`
	Max       *float64 `json:"max,omitempty" doc:"of a number"`
	Precision *int     `json:"precision,omitempty" doc:"digits after the decimal point that mean something"`
}

// Actuator is one action that a device carries out.
type Actuator struct {
	Name        string `json:"name" maxLength:"64" doc:"unique among the actuators"`
	Title       string `json:"title,omitempty" maxLength:"64" doc:"for people"`
	Args        []Arg  `json:"args,omitempty" maxItems:"16"`
	Destructive bool   `json:"destructive,omitempty" doc:"a command must be confirmed"`
}

// Arg is an argument of an action, or a setting.
type Arg struct {
	Name     string   `json:"name" maxLength:"64"`
	Title    string   `json:"title,omitempty" maxLength:"64" doc:"for people"`
	Kind     ArgKind  `json:"kind" enum:"number,bool,text,choice"`
	Unit     string   `json:"unit,omitempty" maxLength:"16"`
	Min      *float64 `json:"min,omitempty" doc:"of a number"`
	Max      *float64 `json:"max,omitempty" doc:"of a number"`
	Step     *float64 `json:"step,omitempty" doc:"of a number; counted from min, or from 0"`
	Options  []string `json:"options,omitempty" maxItems:"32" doc:"of a choice"`
	Required bool     `json:"required,omitempty"`
}

// ArgKind is the type of an argument, or of what a sensor measures; a choice is an argument only.
type ArgKind string

// The types of values.
const (
	NumberArg ArgKind = "number"
	BoolArg   ArgKind = "bool"
	TextArg   ArgKind = "text"
	ChoiceArg ArgKind = "choice"
)

// Actuator returns the actuator with a name.
func (c Capabilities) Actuator(name string) (Actuator, bool) {
	i := slices.IndexFunc(c.Actuators, func(a Actuator) bool { return a.Name == name })
	if i < 0 {
		return Actuator{}, false
	}
	return c.Actuators[i], true
}

// Sensor returns the sensor with a name.
func (c Capabilities) Sensor(name string) (Sensor, bool) {
	i := slices.IndexFunc(c.Sensors, func(s Sensor) bool { return s.Name == name })
	if i < 0 {
		return Sensor{}, false
	}
	return c.Sensors[i], true
}

// OfflineAfter is for how long the device may be silent: 2.5 heartbeats. Zero: it has
// declared none, and its connection says whether it is there.
func (c Capabilities) OfflineAfter() time.Duration {
	return time.Duration(c.Heartbeat) * time.Second * 5 / 2
}

// CheckCapabilityName refuses what is not the name of a sensor, an action, an argument or a
// setting: all are named like sensors, see CheckSensorName.
func CheckCapabilityName(pointer, name string) error {
	if !CheckSensorName(name) {
		return InvalidField(pointer, "a name has 1 to %d letters, digits or - : . / _, and begins with a letter or digit",
			MaxSensorName)
	}
	return nil
}

// CheckUnit refuses what cannot be a unit.
func CheckUnit(pointer, unit string) error {
	if utf8.RuneCountInString(unit) > MaxUnit || !utf8.ValidString(unit) ||
		slices.ContainsFunc([]rune(unit), func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }) {
		return InvalidField(pointer, "a unit has at most %d printable characters without spaces, such as Cel or kWh", MaxUnit)
	}
	return nil
}

// CheckCapabilities refuses what is too much, unclear or not possible. Its errors name the
// values below pointer.
func CheckCapabilities(pointer string, c Capabilities) error {
	for _, t := range []struct{ name, text string }{
		{"model", c.Model}, {"hardware", c.Hardware}, {"firmware", c.Firmware}, {"serial", c.Serial},
	} {
		if _, err := CheckLine(pointer+"/"+t.name, t.text, maxCapabilityText, false); err != nil {
			return err
		}
	}
	if c.Heartbeat != 0 && (c.Heartbeat < MinHeartbeat || c.Heartbeat > MaxHeartbeat) {
		return InvalidField(pointer+"/heartbeat", "a heartbeat is %d to %d seconds, or absent", MinHeartbeat, MaxHeartbeat)
	}
	if err := checkList(pointer+"/sensors", c.Sensors, MaxDeclared, checkSensor); err != nil {
		return err
	}
	if err := checkList(pointer+"/actuators", c.Actuators, MaxActuators, checkActuator); err != nil {
		return err
	}
	if err := checkList(pointer+"/settings", c.Settings, MaxSettings, checkArg); err != nil {
		return err
	}
	if err := checkUnsupported(pointer+"/unsupported", c.Unsupported); err != nil {
		return err
	}
	if b, err := json.Marshal(c); err != nil || len(b) > MaxCapabilities {
		return InvalidField(pointer, "a description has at most %d bytes", MaxCapabilities)
	}
	return nil
}

func checkUnsupported(pointer string, list []Unsupported) error {
	if len(list) > MaxUnsupported {
		return InvalidField(pointer, "at most %d, these are %d", MaxUnsupported, len(list))
	}
	for i, u := range list {
		at := fmt.Sprintf("%s/%d", pointer, i)
		if _, err := CheckLine(at+"/name", u.Name, maxCapabilityText, true); err != nil {
			return err
		}
		if _, err := CheckLine(at+"/why", u.Why, MaxWhy, true); err != nil {
			return err
		}
	}
	return nil
}

// checkList checks each of a list of named things, and that no name comes twice.
func checkList[T interface{ name() string }](pointer string, list []T, most int, check func(string, T) error) error {
	if len(list) > most {
		return InvalidField(pointer, "at most %d, these are %d", most, len(list))
	}
	seen := make(map[string]bool, len(list))
	for i, v := range list {
		at := fmt.Sprintf("%s/%d", pointer, i)
		if err := CheckCapabilityName(at+"/name", v.name()); err != nil {
			return err
		}
		if seen[v.name()] {
			return InvalidField(at+"/name", "the name %q is there already", v.name())
		}
		seen[v.name()] = true
		if err := check(at, v); err != nil {
			return err
		}
	}
	return nil
}

func (s Sensor) name() string   { return s.Name }
func (a Actuator) name() string { return a.Name }
func (a Arg) name() string      { return a.Name }

func checkTitleAndUnit(pointer, title, unit string) error {
	if _, err := CheckLine(pointer+"/title", title, maxCapabilityText, false); err != nil {
		return err
	}
	return CheckUnit(pointer+"/unit", unit)
}

func checkSensor(pointer string, s Sensor) error {
	if err := checkTitleAndUnit(pointer, s.Title, s.Unit); err != nil {
		return err
	}
	if s.Kind != NumberArg && s.Kind != BoolArg && s.Kind != TextArg {
		return InvalidField(pointer+"/kind", "a sensor's kind is number, bool or text")
	}
	if s.Precision != nil && (*s.Precision < 0 || *s.Precision > MaxPrecision) {
		return InvalidField(pointer+"/precision", "a precision is 0 to %d digits", MaxPrecision)
	}
	return checkRange(pointer, s.Kind == NumberArg, s.Min, s.Max)
}

// checkRange checks the bounds of a number; other kinds have none.
func checkRange(pointer string, number bool, low, high *float64) error {
	for _, b := range []struct {
		at    string
		value *float64
	}{{"/min", low}, {"/max", high}} {
		if b.value == nil {
			continue
		}
		if !number {
			return InvalidField(pointer+b.at, "only a number has bounds")
		}
		if math.IsNaN(*b.value) || math.Abs(*b.value) > maxBound {
			return InvalidField(pointer+b.at, "a bound is between -1e15 and 1e15")
		}
	}
	if low != nil && high != nil && *low > *high {
		return InvalidField(pointer+"/max", "max must not be less than min")
	}
	return nil
}

func checkActuator(pointer string, a Actuator) error {
	if err := checkTitleAndUnit(pointer, a.Title, ""); err != nil {
		return err
	}
	return checkList(pointer+"/args", a.Args, MaxActuatorArgs, checkArg)
}

func checkArg(pointer string, a Arg) error {
	if err := checkTitleAndUnit(pointer, a.Title, a.Unit); err != nil {
		return err
	}
	switch a.Kind {
	case NumberArg, BoolArg, TextArg:
		if len(a.Options) > 0 {
			return InvalidField(pointer+"/options", "only a choice has options")
		}
	case ChoiceArg:
		if err := checkOptions(pointer+"/options", a.Options); err != nil {
			return err
		}
	default:
		return InvalidField(pointer+"/kind", "a kind is number, bool, text or choice")
	}
	if a.Step != nil && (a.Kind != NumberArg || math.IsNaN(*a.Step) || *a.Step <= 0 || *a.Step > maxBound) {
		return InvalidField(pointer+"/step", "only a number has a step, and it is above 0")
	}
	return checkRange(pointer, a.Kind == NumberArg, a.Min, a.Max)
}

func checkOptions(pointer string, options []string) error {
	if len(options) == 0 || len(options) > MaxArgOptions {
		return InvalidField(pointer, "a choice has 1 to %d options", MaxArgOptions)
	}
	for i, o := range options {
		at := fmt.Sprintf("%s/%d", pointer, i)
		if trimmed, err := CheckLine(at, o, maxCapabilityText, true); err != nil || trimmed != o {
			return InvalidField(at, "an option has 1 to %d characters, without spaces around it", maxCapabilityText)
		}
		if slices.Contains(options[:i], o) {
			return InvalidField(at, "the option %q is there already", o)
		}
	}
	return nil
}
