package discovery

import (
	"math"

	"github.com/unhidra/unhidra/internal/domain"
)

// sensorOf returns a sensor of the entity by its name; nil: it has none.
func (e *Entity) sensorOf(name string) *Sensor {
	for i := range e.Sensors {
		if e.Sensors[i].Name == name {
			return &e.Sensors[i]
		}
	}
	return nil
}

// shows returns the sign that a sensor has the value of an argument. A number may differ by half a step, in the
// unit of the device, since devices round. Without such a sensor there is no sign.
func (e *Entity) shows(arg, name string, d dial) []sign {
	s := e.sensorOf(name)
	if s == nil {
		return nil
	}
	read, step := s.scale, orOne(d.step)
	return []sign{{sensor: name, wanted: func(args map[string]any) func(domain.Value) bool {
		want, given := args[arg]
		if !given {
			return nil
		}
		n, isNumber := want.(float64)
		if !isNumber {
			return func(v domain.Value) bool { return v.Any() == want }
		}
		n = d.told(n)
		off := math.Abs(read.convert(n+step/2)-read.convert(n)) + 1e-9
		return func(v domain.Value) bool {
			return v.Kind == domain.NumberValue && math.Abs(v.Number-read.convert(n)) <= off
		}
	}}}
}

// showsWord returns the sign that a sensor has the value that a word stands for. For a word without a value, any
// that the device sends is one.
func (e *Entity) showsWord(name string, values map[string]domain.Value) []sign {
	if e.sensorOf(name) == nil {
		return nil
	}
	return []sign{{sensor: name, wanted: func(args map[string]any) func(domain.Value) bool {
		word, _ := args["to"].(string)
		want, known := values[word]
		return func(v domain.Value) bool { return !known || v == want }
	}}}
}

// step returns a step that was announced; nil: there is none that counts.
func (d doc) step(key string) *float64 {
	if n := d.number(key); n != nil && *n > 0 {
		return n
	}
	return nil
}

// orOne returns a step, or 1, which is Home Assistant's.
func orOne(step *float64) float64 {
	if step == nil {
		return 1
	}
	return *step
}

// position returns a position of a cover.
func (d doc) position(key string, def float64) domain.Value {
	if n := d.number(key); n != nil {
		def = *n
	}
	return domain.Number(def)
}
