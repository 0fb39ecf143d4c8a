package discovery

import (
	"math"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

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
	"W.min": {"Wh", 1.0 / 60, 0},
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
		s.Unit, s.scale = known.senml, scale{factor: known.factor, offset: known.offset}
	}
}

// scale is how numbers of a device become those in a unit of this server.
type scale struct {
	factor float64 // 0: none
	offset float64 // is subtracted before
	whole  bool    // numbers are rounded
}

func (c scale) same() bool { return c.factor == 0 && c.offset == 0 }

// convert returns a number of the device in the unit.
func (c scale) convert(n float64) float64 {
	n -= c.offset
	if c.factor != 0 {
		n *= c.factor
	}
	if c.whole {
		n = math.Round(n)
	}
	return n
}

// back returns what the device calls a number in the unit.
func (c scale) back(n float64) float64 {
	if c.factor != 0 {
		n /= c.factor
	}
	return n + c.offset
}

// setPercent makes a number one in whole percent.
func (s *Sensor) setPercent(factor float64) {
	s.Unit, s.scale = "%", scale{factor: factor, whole: true}
}

// dial is a number that a device can be told, as it was announced. What is said to people is in a unit of this
// server.
type dial struct {
	scale
	unit           string
	min, max, step *float64 // of the device
}

// dialOf returns a dial whose numbers are in the unit of a sensor.
func (d doc) dialOf(s Sensor, low, high, step string) dial {
	return dial{scale: s.scale, unit: s.Unit, min: d.number(low), max: d.number(high), step: d.step(step)}
}

// arg returns the argument that is asked of people. Steps of another unit would be none that people think in:
// there told rounds.
func (d dial) arg(name string) domain.Arg {
	a := domain.Arg{Name: name, Kind: domain.NumberArg, Unit: d.unit, Min: d.bound(d.min), Max: d.bound(d.max)}
	if d.same() {
		a.Step = d.step
	}
	return a
}

func (d dial) bound(n *float64) *float64 {
	if n == nil || d.same() {
		return n
	}
	return ptr(rounded(d.convert(*n), 6))
}

// told returns the number that the device is told for one of people: within its bounds, in its steps.
func (d dial) told(n float64) float64 {
	if d.same() {
		return n
	}
	n = d.back(n)
	if d.step != nil {
		from := 0.0
		if d.min != nil {
			from = *d.min
		}
		n = from + math.Round((n-from) / *d.step)**d.step
	}
	if d.max != nil {
		n = math.Min(n, *d.max)
	}
	if d.min != nil {
		n = math.Max(n, *d.min)
	}
	return rounded(n, 6)
}

// rounded returns a number with that many digits that count.
func rounded(n float64, digits int) float64 {
	if n == 0 || math.IsInf(n, 0) || math.IsNaN(n) {
		return n
	}
	f := math.Pow(10, float64(digits-1)-math.Floor(math.Log10(math.Abs(n))))
	if math.IsInf(f, 0) || f == 0 {
		return n
	}
	return math.Round(n*f) / f
}
