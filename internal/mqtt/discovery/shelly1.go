package discovery

import (
	"encoding/json"
	"slices"
	"strings"
)

// shellyFirst starts the topics of nodes of the first generation: shellies/ID/….
const shellyFirst = "shellies/"

// ShellyShared is where all nodes of the first generation say what they are: the topic is nobody's.
const ShellyShared = shellyFirst + "announce"

// shelly1 is a node of the first generation: each of its values has a topic of its own.
type shelly1 struct {
	prefix string
	tails  map[string]bool // of topics with values
	info   struct {
		Model    string `json:"model"`
		MAC      string `json:"mac"`
		Firmware string `json:"fw_ver"`
	}
}

// shellyTails are the topics after the prefix, with # for a number, and what Home Assistant's discovery would say
// of them.
var shellyTails = map[string]struct {
	component string
	doc       doc
}{
	"relay/#":           {"switch", doc{"payload_on": "on", "payload_off": "off"}},
	"relay/#/power":     {"sensor", doc{"unit_of_measurement": "W"}},
	"relay/#/energy":    {"sensor", doc{"unit_of_measurement": "W.min"}},
	"light/#":           {"switch", doc{"payload_on": "on", "payload_off": "off"}},
	"light/#/power":     {"sensor", doc{"unit_of_measurement": "W"}},
	"light/#/energy":    {"sensor", doc{"unit_of_measurement": "W.min"}},
	"roller/#":          {"cover", doc{"payload_open": "open", "payload_close": "close", "payload_stop": "stop"}},
	"roller/#/power":    {"sensor", doc{"unit_of_measurement": "W"}},
	"roller/#/pos":      {"number", doc{"unit_of_measurement": "%", "min": 0.0, "max": 100.0}},
	"input/#":           {"binary_sensor", doc{"payload_on": "1", "payload_off": "0"}},
	"emeter/#/power":    {"sensor", doc{"unit_of_measurement": "W"}},
	"emeter/#/voltage":  {"sensor", doc{"unit_of_measurement": "V"}},
	"emeter/#/total":    {"sensor", doc{"unit_of_measurement": "Wh"}},
	"temperature":       {"sensor", doc{"unit_of_measurement": "°C"}},
	"overtemperature":   {"binary_sensor", doc{"payload_on": "1", "payload_off": "0"}},
	"ext_temperature/#": {"sensor", doc{"unit_of_measurement": "°C"}},
	"ext_humidity/#":    {"sensor", doc{"unit_of_measurement": "%", "device_class": "humidity"}},

	"sensor/temperature": {"sensor", doc{"unit_of_measurement": "°C"}},
	"sensor/humidity":    {"sensor", doc{"unit_of_measurement": "%", "device_class": "humidity"}},
	"sensor/battery":     {"sensor", doc{"unit_of_measurement": "%", "device_class": "battery"}},
	"sensor/lux":         {"sensor", doc{"unit_of_measurement": "lx"}},
	"sensor/flood":       {"binary_sensor", doc{}},
	"sensor/smoke":       {"binary_sensor", doc{}},
	"sensor/motion":      {"binary_sensor", doc{}},
	"sensor/state":       {"binary_sensor", doc{"payload_on": "open", "payload_off": "close"}},
}

// firstShelly splits shellies/ID/REST of a topic that such a node publishes.
func firstShelly(topic, payload string) (prefix string, ok bool) {
	if topic == ShellyShared {
		var said struct {
			ID string `json:"id"`
		}
		ok = json.Unmarshal([]byte(payload), &said) == nil && said.ID != "" && !strings.Contains(said.ID, "/")
		return shellyFirst + said.ID, ok
	}
	rest, ok := strings.CutPrefix(topic, shellyFirst)
	if !ok {
		return "", false
	}
	id, tail, ok := strings.Cut(rest, "/")
	_, _, known := shellyTail(tail)
	return shellyFirst + id, ok && id != "" && (known || tail == "online" || tail == "announce")
}

// shellyTail returns the pattern of a topic after the prefix, and its words for the name of a sensor.
func shellyTail(tail string) (pattern string, words []string, ok bool) {
	parts := strings.Split(tail, "/")
	for i, p := range parts {
		if len(p) == 1 && p[0] >= '0' && p[0] <= '9' {
			parts[i] = "#"
		}
		if i > 0 || p != "sensor" {
			words = append(words, p)
		}
	}
	pattern = strings.Join(parts, "/")
	_, ok = shellyTails[pattern]
	return pattern, words, ok
}

// Prefix implements Shelly.
func (s *shelly1) Prefix() string { return s.prefix }

// Questions implements Shelly.
func (s *shelly1) Questions() []Publication {
	return []Publication{{s.prefix + "/command", "announce", false}, {s.prefix + "/command", "update", false}}
}

// Hear implements Shelly.
func (s *shelly1) Hear(m *Message, topic string) (news bool) {
	tail, ok := strings.CutPrefix(topic, s.prefix+"/")
	if tail == "announce" || topic == ShellyShared {
		was := s.info
		_ = json.Unmarshal([]byte(m.Payload), &s.info) // what is not of this form is left out
		return s.info != was
	}
	if _, _, known := shellyTail(tail); !ok || !known || s.tails[tail] {
		return false
	}
	s.tails[tail] = true
	return true
}

// Entities implements Shelly.
func (s *shelly1) Entities() (all []*Entity) {
	dev := Device{ID: s.info.MAC, Model: line("Shelly " + s.info.Model), Firmware: line(s.info.Firmware),
		Serial: line(s.info.MAC)}
	tails := make([]string, 0, len(s.tails))
	for tail := range s.tails {
		tails = append(tails, tail)
	}
	slices.Sort(tails)
	for _, tail := range tails {
		pattern, words, _ := shellyTail(tail)
		known := shellyTails[pattern]
		d := doc{"state_topic": s.prefix + "/" + tail, "name": strings.Join(words, " "),
			"availability_topic": s.prefix + "/online", "payload_available": "true", "payload_not_available": "false"}
		switch pattern {
		case "relay/#", "light/#", "roller/#":
			d["command_topic"] = s.prefix + "/" + tail + "/command"
		case "roller/#/pos":
			d["command_topic"] = s.prefix + "/" + strings.TrimSuffix(tail, "pos") + "command/pos"
		}
		for k, v := range known.doc {
			d[k] = v
		}
		all = append(all, d.entity(known.component, slug(tail), "shelly/"+tail, dev))
	}
	return all
}
