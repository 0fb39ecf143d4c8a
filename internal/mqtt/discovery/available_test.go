package discovery

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// A device is there or not as the topic says that all of its entities have, in each form of announcement.
func TestAvailabilityIsThatOfTheWholeDevice(t *testing.T) {
	t.Parallel()
	esphome := `{"name":"Air","stat_t":"greenhouse/sensor/air/state","avty_t":"greenhouse/status","uniq_id":"a"}`
	others := `{"name":"Fan","stat_t":"greenhouse/fan/state","cmd_t":"greenhouse/fan/set","uniq_id":"f",
		"~":"greenhouse","avty":[{"t":"~/status"},{"t":"fan/there"}]}`
	bridge := `{"availability":[{"topic":"zigbee2mqtt/bridge/state","value_template":"{{ value_json.state }}"}],
		"state_topic":"zigbee2mqtt/bed","unique_id":"h","value_template":"{{ value_json.humidity }}"}`
	form := `{"dev":{"ids":"x"},"o":{"name":"y"},"avty_t":"pump/status","pl_avail":"up","pl_not_avail":"down",
		"cmps":{"a":{"p":"sensor","uniq_id":"a","stat_t":"a"},"b":{"p":"sensor","uniq_id":"b","stat_t":"b"}}}`
	tasmota := `{"dn":"Pump","mac":"C2D3E4","t":"pump","ft":"%prefix%/%topic%/","tp":["cmnd","stat","tele"],
		"rl":[1],"onln":"Da","ofln":"Weg"}`
	ha := func(docs ...string) (all []*Entity) {
		for i, doc := range docs {
			es, err := Parse(fmt.Sprintf("homeassistant/sensor/n/s%d/config", i), []byte(doc))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, es...)
		}
		return all
	}
	device, err := Parse("homeassistant/device/x/config", []byte(form))
	if err != nil {
		t.Fatal(err)
	}
	node, err := ParseTasmota([]byte(tasmota), []byte(`{"sn":{"Time":"x","AM2301":{"Temperature":21.5}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		entities           []*Entity
		topic, there, gone string
	}{
		"esphome":     {ha(esphome, others), "greenhouse/status", "online", "offline"},
		"zigbee2mqtt": {ha(bridge), "zigbee2mqtt/bridge/state", `{"state":"online"}`, `{"state":"offline"}`},
		"device form": {device, "pump/status", "up", "down"},
		"tasmota":     {node, "tele/pump/LWT", "Da", "Weg"},
	} {
		common := Common(c.entities)
		if topics := slices.Collect(maps.Keys(common)); !slices.Equal(topics, []string{c.topic}) {
			t.Errorf("%s: %v", name, topics)
			continue
		}
		for payload, want := range map[string][2]bool{c.there: {true, true}, c.gone: {false, true}, "": {}, "what": {}} {
			if there, known := common[c.topic].Says(&Message{Payload: payload}); [2]bool{there, known} != want {
				t.Errorf("%s: %q is %v, %v", name, payload, there, known)
			}
		}
	}
	if common := Common(ha(esphome, `{"name":"Other","stat_t":"x","uniq_id":"o"}`)); len(common) != 0 {
		t.Errorf("of a device of which one entity has none: %v", common)
	}
	if common := Common(nil); len(common) != 0 {
		t.Errorf("of nothing: %v", common)
	}
}
