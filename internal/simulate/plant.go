package simulate

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Kind is what a device is.
type Kind string

// The kinds.
const (
	Greenhouse Kind = "greenhouse" // a climate, with a fan, a pump and a target
	Weather    Kind = "weather"    // a weather station
	Meter      Kind = "meter"      // an electricity meter
	Door       Kind = "door"       // a contact with a battery
)

var kinds = []Kind{Greenhouse, Weather, Meter, Door}

// Known reports whether there is such a kind.
func (k Kind) Known() bool {
	return k == Greenhouse || k == Weather || k == Meter || k == Door
}

// plant is what a device measures and moves.
type plant interface {
	capabilities() domain.Capabilities
	measure(at time.Time, r *rand.Rand) map[string]any
	obey(action string, args map[string]any) error
}

func newPlant(k Kind, r *rand.Rand) plant {
	switch k {
	case Weather:
		return &weather{mean: 9 + 6*r.Float64()}
	case Meter:
		return &meter{energy: math.Round(r.Float64() * 9000), base: 80 + 150*r.Float64()}
	case Door:
		return &door{battery: 60 + 40*r.Float64()}
	}
	return &greenhouse{air: 19 + 2*r.Float64(), moisture: 55 + 15*r.Float64(), target: 24}
}

func sensor(name, title, unit string, precision int) domain.Sensor {
	return domain.Sensor{Name: name, Title: title, Unit: unit, Kind: domain.NumberArg, Precision: &precision}
}

func sign(name, title string) domain.Sensor {
	return domain.Sensor{Name: name, Title: title, Kind: domain.BoolArg}
}

// round rounds to so many digits after the point.
func round(v float64, digits int) float64 {
	p := math.Pow(10, float64(digits))
	return math.Round(v*p) / p
}

// sun is the height of the sun at a time, 0 to 1.
func sun(at time.Time) float64 {
	at = at.UTC()
	hour := float64(at.Hour()) + float64(at.Minute())/60 + float64(at.Second())/3600
	return max(0, math.Sin((hour-6)*math.Pi/12))
}

// greenhouse gets warm in the sun; a fan cools it, and a pump waters it.
type greenhouse struct {
	air, moisture, target float64
	fan, pump             bool
	byHand                bool // somebody has switched the fan: the thermostat leaves it
	last                  time.Time
}

func (*greenhouse) capabilities() domain.Capabilities {
	low, high, step := 10.0, 35.0, 0.5
	on := []domain.Arg{{Name: "on", Kind: domain.BoolArg, Required: true}}
	return domain.Capabilities{Model: "Greenhouse GH-2", Hardware: "B", Firmware: "2.1.0",
		Sensors: []domain.Sensor{sensor("temperature", "Temperature", "Cel", 1), sensor("humidity", "Humidity", "%RH", 0),
			sensor("soil", "Soil moisture", "%", 1), sensor("light", "Light", "lx", 0), sign("fan", "Fan"),
			sign("pump", "Pump")},
		Actuators: []domain.Actuator{{Name: "fan", Title: "Fan", Args: on}, {Name: "pump", Title: "Pump", Args: on},
			{Name: "target", Title: "Target temperature", Args: []domain.Arg{{Name: "value", Kind: domain.NumberArg, Unit: "Cel",
				Min: &low, Max: &high, Step: &step, Required: true}}},
			{Name: "restart", Title: "Restart", Destructive: true}},
		Settings: []domain.Arg{{Name: "interval", Title: "Seconds between readings", Kind: domain.NumberArg, Unit: "s"}}}
}

func (g *greenhouse) measure(at time.Time, r *rand.Rand) map[string]any {
	hours := 0.0
	if !g.last.IsZero() {
		hours = min(max(at.Sub(g.last).Hours(), 0), 1)
	}
	g.last = at
	light := sun(at)
	goal := 13 + 21*light
	if !g.byHand {
		g.fan = g.air > g.target || g.fan && g.air > g.target-1.5
	}
	slowness := 0.6 // hours
	if g.fan {
		goal, slowness = min(goal, 14+9*light), 0.15
	}
	g.air += (goal-g.air)*(1-math.Exp(-hours/slowness)) + r.NormFloat64()*0.04
	g.moisture -= hours * (0.5 + 2*light)
	if g.pump = g.pump && g.moisture < 75 || g.moisture < 42; g.pump {
		g.moisture += hours * 60
	}
	g.moisture = min(max(g.moisture, 5), 95)
	return map[string]any{"temperature": round(g.air, 1), "humidity": round(88-1.4*(g.air-12)+r.NormFloat64(), 0),
		"soil": round(g.moisture, 1), "light": round(max(0, 42000*light*(0.9+0.1*r.Float64())), 0), "fan": g.fan,
		"pump": g.pump}
}

func (g *greenhouse) obey(action string, args map[string]any) error {
	on, isBool := args["on"].(bool)
	value, isNumber := args["value"].(float64)
	switch {
	case action == "fan" && isBool:
		g.fan, g.byHand = on, true
	case action == "pump" && isBool:
		g.pump = on
	case action == "target" && isNumber:
		g.target, g.byHand = value, false
	case action == "restart":
		g.byHand = false
	default:
		return fmt.Errorf("%s cannot be done", action)
	}
	return nil
}

// weather is a weather station.
type weather struct{ mean, front, wind, rain float64 }

func (*weather) capabilities() domain.Capabilities {
	return domain.Capabilities{Model: "Weather WS-1", Firmware: "1.8.2", Sensors: []domain.Sensor{
		sensor("temperature", "Temperature", "Cel", 1), sensor("humidity", "Humidity", "%RH", 0),
		sensor("pressure", "Air pressure", "hPa", 1), sensor("wind", "Wind", "m/s", 1), sensor("rain", "Rain", "mm", 1)}}
}

func (w *weather) measure(at time.Time, r *rand.Rand) map[string]any {
	w.front = 0.999*w.front + 0.05*r.NormFloat64()
	w.wind = math.Abs(0.97*w.wind + 0.3*r.NormFloat64())
	if w.front < -0.8 {
		w.rain = round(w.rain+0.2*r.Float64(), 1)
	}
	return map[string]any{"temperature": round(w.mean+7*sun(at)+w.front, 1),
		"humidity": round(min(100, 80-25*sun(at)-6*w.front), 0),
		"pressure": round(1014+8*w.front, 1), "wind": round(w.wind, 1), "rain": w.rain}
}

func (*weather) obey(action string, _ map[string]any) error {
	return fmt.Errorf("%s cannot be done", action)
}

// meter is an electricity meter with a relay.
type meter struct {
	energy, base float64
	appliance    int // steps that something runs
	off          bool
	last         time.Time
}

func (*meter) capabilities() domain.Capabilities {
	return domain.Capabilities{Model: "Meter EM-3", Firmware: "0.9.4",
		Sensors: []domain.Sensor{sensor("power", "Power", "W", 0),
			sensor("energy", "Energy", "kWh", 3), sensor("voltage", "Voltage", "V", 1), sign("relay", "Relay")},
		Actuators: []domain.Actuator{{Name: "relay", Title: "Relay",
			Args: []domain.Arg{{Name: "on", Kind: domain.BoolArg, Required: true}}}}}
}

func (m *meter) measure(at time.Time, r *rand.Rand) map[string]any {
	power := m.base * (1 + 0.1*r.NormFloat64())
	if m.appliance--; m.appliance > 0 {
		power += 1900
	} else if r.IntN(60) == 0 {
		m.appliance = 5 + r.IntN(30)
	}
	if m.off {
		power = 0
	}
	if !m.last.IsZero() {
		m.energy += max(power, 0) / 1000 * min(max(at.Sub(m.last).Hours(), 0), 1)
	}
	m.last = at
	return map[string]any{"power": round(max(power, 0), 0), "energy": round(m.energy, 3),
		"voltage": round(230+1.5*r.NormFloat64(), 1), "relay": !m.off}
}

func (m *meter) obey(action string, args map[string]any) error {
	on, ok := args["on"].(bool)
	if action != "relay" || !ok {
		return fmt.Errorf("%s cannot be done", action)
	}
	m.off = !on
	return nil
}

// door is a contact that is open now and then, on a battery.
type door struct {
	open    bool
	battery float64
}

func (*door) capabilities() domain.Capabilities {
	return domain.Capabilities{Model: "Contact DC-1", Firmware: "3.0.1", Sensors: []domain.Sensor{sign("open", "Open"),
		sensor("battery", "Battery", "%EL", 0), {Name: "state", Title: "State", Kind: domain.TextArg}}}
}

func (d *door) measure(_ time.Time, r *rand.Rand) map[string]any {
	d.open = d.open && r.IntN(3) > 0 || !d.open && r.IntN(12) == 0
	d.battery = max(1, d.battery-0.001)
	state := "closed"
	if d.open {
		state = "open"
	}
	return map[string]any{"open": d.open, "battery": round(d.battery, 0), "state": state}
}

func (*door) obey(action string, _ map[string]any) error {
	return fmt.Errorf("%s cannot be done", action)
}

// encode returns values as a report has them.
func encode(values map[string]any) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(values))
	for name, v := range values {
		out[name], _ = json.Marshal(v) // numbers that are finite, bools and texts
	}
	return out
}
