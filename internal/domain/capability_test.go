package domain

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Each thing that a description must not say is refused at the value that says it.
func TestABadDescriptionIsRefusedAtItsValue(t *testing.T) {
	t.Parallel()
	n := func(v float64) *float64 { return &v }
	sensor := func(s Sensor) Capabilities { return Capabilities{Sensors: []Sensor{s}} }
	arg := func(a Arg) Capabilities {
		return Capabilities{Actuators: []Actuator{{Name: "fan", Args: []Arg{a}}}}
	}
	many := make([]Sensor, MaxDeclared+1)
	for i := range many {
		many[i] = Sensor{Name: fmt.Sprint("s", i), Kind: NumberArg}
	}
	large := make([]Arg, MaxSettings)
	for i := range large {
		large[i] = Arg{Name: fmt.Sprint("s", i), Kind: ChoiceArg}
		for j := range MaxArgOptions {
			large[i].Options = append(large[i].Options, fmt.Sprint(strings.Repeat("x", 60), j))
		}
	}
	for pointer, c := range map[string]Capabilities{
		"/c/model":                        {Model: strings.Repeat("x", 65)},
		"/c/firmware":                     {Firmware: "1\n2"},
		"/c/serial":                       {Serial: "A\u202eB"},
		"/c/heartbeat":                    {Heartbeat: 4},
		"/c/sensors":                      {Sensors: many},
		"/c/sensors/0/name":               sensor(Sensor{Name: "two words", Kind: NumberArg}),
		"/c/sensors/0/kind":               sensor(Sensor{Name: "a", Kind: ChoiceArg}),
		"/c/sensors/0/unit":               sensor(Sensor{Name: "a", Kind: NumberArg, Unit: "° C"}),
		"/c/sensors/0/title":              sensor(Sensor{Name: "a", Kind: NumberArg, Title: "\x00"}),
		"/c/sensors/0/max":                sensor(Sensor{Name: "a", Kind: NumberArg, Min: n(2), Max: n(1)}),
		"/c/sensors/0/min":                sensor(Sensor{Name: "a", Kind: BoolArg, Min: n(2)}),
		"/c/sensors/0/precision":          sensor(Sensor{Name: "a", Kind: NumberArg, Precision: new(11)}),
		"/c/sensors/1/name":               {Sensors: []Sensor{{Name: "a", Kind: BoolArg}, {Name: "a", Kind: BoolArg}}},
		"/c/actuators/0/name":             {Actuators: []Actuator{{Name: ""}}},
		"/c/actuators/0/args/0/kind":      arg(Arg{Name: "a", Kind: "colour"}),
		"/c/actuators/0/args/0/options":   arg(Arg{Name: "a", Kind: ChoiceArg}),
		"/c/actuators/0/args/0/options/1": arg(Arg{Name: "a", Kind: ChoiceArg, Options: []string{"on", "on"}}),
		"/c/actuators/0/args/0/options/0": arg(Arg{Name: "a", Kind: ChoiceArg, Options: []string{" on"}}),
		"/c/actuators/0/args/0/step":      arg(Arg{Name: "a", Kind: NumberArg, Step: n(0)}),
		"/c/actuators/0/args/0/max":       arg(Arg{Name: "a", Kind: NumberArg, Max: n(1e16)}),
		"/c/settings/0/unit":              {Settings: []Arg{{Name: "a", Kind: NumberArg, Unit: strings.Repeat("k", 17)}}},
		"/c":                              {Settings: large},
	} {
		err := CheckCapabilities("/c", c)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Invalid || len(e.Fields) != 1 || e.Fields[0].Pointer != pointer {
			t.Errorf("%s: %+v", pointer, e)
		}
	}
	good := sensor(Sensor{Name: "bme280/temp.1", Kind: NumberArg, Unit: "%RH", Min: n(0), Max: n(0), Precision: new(0)})
	good.Heartbeat = MaxHeartbeat
	good.Actuators = []Actuator{{Name: "bme280/temp.1", Destructive: true, Args: []Arg{{Name: "a", Kind: TextArg}}}}
	if err := CheckCapabilities("/c", good); err != nil {
		t.Error(err)
	}
}
