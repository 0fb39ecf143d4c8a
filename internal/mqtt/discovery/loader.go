package discovery

import (
	"encoding/json"
	"regexp"
	"strings"
)

// Loader is what is known of the firmware of a node: its version, and how it is told to load another one.
type Loader struct {
	Version  string // empty: not known
	commands string // start of the topics of commands; empty: it cannot be told
	states   string // start of the topics by which it answers
}

// TasmotaLoader reads it from an announcement of a Tasmota node; ok is false for any other one.
func TasmotaLoader(topic string, payload []byte) (l Loader, ok bool) {
	var t tasmota
	_, part, ok := TasmotaTopic(topic)
	if !ok || part != "config" || json.Unmarshal(payload, &t) != nil || t.Topic == "" || len(t.Prefixes) < 3 {
		return Loader{}, false
	}
	return Loader{Version: line(t.Software), commands: t.topic(0, ""), states: t.topic(1, "")}, true
}

// esphomeProject is how ESPHome writes the version of a project. Without a project there is that of ESPHome alone,
// which says nothing of the release.
var esphomeProject = regexp.MustCompile(`^(\S+) \(ESPHome `)

// ESPHomeLoader reads it from what an ESPHome node has announced; ok is false for any other one.
func ESPHomeLoader(es []*Entity) (l Loader, ok bool) {
	for _, e := range es {
		if found := esphomeProject.FindStringSubmatch(e.Device.Firmware); found != nil && e.Device.Via == "" {
			return Loader{Version: found[1]}, true
		}
	}
	return Loader{}, false
}

// Load returns what tells the node to load the image at a URL; nil: it cannot be told.
func (l Loader) Load(url string) []Publication {
	if l.commands == "" {
		return nil
	}
	return []Publication{{Topic: l.commands + "OtaUrl", Payload: url}, {Topic: l.commands + "Upgrade", Payload: "1"}}
}

// Failed reports whether a message says that the node could not load an image, and why. Older versions of Tasmota say
// so in plain text.
func (l Loader) Failed(topic, payload string) (why string, failed bool) {
	if l.states == "" || topic != l.states+"UPGRADE" {
		return "", false
	}
	var said struct{ Upgrade string }
	if json.Unmarshal([]byte(payload), &said) != nil {
		said.Upgrade = payload
	}
	why, failed = strings.CutPrefix(said.Upgrade, "Failed")
	return line(why), failed
}
