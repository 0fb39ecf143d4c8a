package discovery

import (
	"slices"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// shellyValue is a value in the status of a component.
type shellyValue struct {
	path   string // dots lead into objects
	suffix string // of the sensor's name, after that of the component
	kind   domain.ArgKind
	unit   string // in SenML
}

// of returns the value in a status.
func (v shellyValue) of(status map[string]any) (value any, ok bool) {
	key, rest, deeper := strings.Cut(v.path, ".")
	value, ok = status[key]
	if !deeper || !ok {
		return value, ok
	}
	inner, _ := value.(map[string]any)
	return shellyValue{path: rest}.of(inner)
}

// shellyOwn are components that say nothing of what a node measures and does.
var shellyOwn = []string{"script", "schedule", "webhook", "service"}

func shellyNumber(path, suffix, unit string) shellyValue {
	return shellyValue{path, suffix, domain.NumberArg, unit}
}

// metered are the values of a component that measures what it switches.
var metered = []shellyValue{
	shellyNumber("apower", "_power", "W"), shellyNumber("voltage", "_voltage", "V"),
	shellyNumber("current", "_current", "A"), shellyNumber("freq", "_frequency", "Hz"), shellyNumber("pf", "_pf", "/"),
	shellyNumber("aenergy.total", "_energy", "Wh"), shellyNumber("temperature.tC", "_temperature", "Cel"),
}

func shellyBool(path string) shellyValue { return shellyValue{path, "", domain.BoolArg, ""} }

// dimmed are the values of a light.
var dimmed = slices.Concat([]shellyValue{shellyBool("output"), shellyNumber("brightness", "_brightness", "%")}, metered)

// phases are the values of a meter of three phases.
func phases() (all []shellyValue) {
	for _, p := range []string{"a", "b", "c"} {
		all = append(all, shellyNumber(p+"_act_power", "_"+p+"_power", "W"),
			shellyNumber(p+"_voltage", "_"+p+"_voltage", "V"), shellyNumber(p+"_current", "_"+p+"_current", "A"))
	}
	return append(all, shellyNumber("total_act_power", "_power", "W"), shellyNumber("total_current", "_current", "A"))
}

// shellyParts are the kinds of components that are known, with what their status has.
var shellyParts = map[string][]shellyValue{
	"switch": slices.Concat([]shellyValue{shellyBool("output")}, metered),
	"light":  dimmed, "rgb": dimmed, "rgbw": dimmed,
	"cct": slices.Concat(dimmed, []shellyValue{shellyNumber("ct", "_ct", "K")}),
	"cover": slices.Concat([]shellyValue{{"state", "", domain.TextArg, ""},
		shellyNumber("current_pos", "_position", "%")}, metered),
	"pm1": metered,
	"em":  phases(),
	"em1": {shellyNumber("act_power", "_power", "W"), shellyNumber("voltage", "_voltage", "V"),
		shellyNumber("current", "_current", "A"), shellyNumber("freq", "_frequency", "Hz"), shellyNumber("pf", "_pf", "/")},
	"emdata": {shellyNumber("total_act", "_energy", "Wh"), shellyNumber("total_act_ret", "_returned", "Wh")},
	"em1data": {shellyNumber("total_act_energy", "_energy", "Wh"),
		shellyNumber("total_act_ret_energy", "_returned", "Wh")},
	"input":       {shellyBool("state"), shellyNumber("percent", "_percent", "%")},
	"temperature": {shellyNumber("tC", "", "Cel")},
	"humidity":    {shellyNumber("rh", "", "%RH")},
	"illuminance": {shellyNumber("lux", "", "lx")},
	"voltmeter":   {shellyNumber("voltage", "", "V")},
	"smoke":       {shellyBool("alarm")},
	"flood":       {shellyBool("alarm")},
	"devicepower": {shellyNumber("battery.percent", "_battery", "%EL"), shellyNumber("battery.V", "_voltage", "V")},
}
