package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/unhidra/unhidra/internal/domain"
)

// Prefix starts the topics of Home Assistant's discovery.
const Prefix = "homeassistant/"

// StatusTopic is where Home Assistant says that it has started: devices announce themselves anew then.
const StatusTopic = Prefix + "status"

// IsConfig reports whether a topic is that of an announcement.
func IsConfig(topic string) bool {
	return strings.HasPrefix(topic, Prefix) && strings.HasSuffix(topic, "/config")
}

// long are the keys that are understood by their abbreviations.
var long = map[string]string{
	"uniq_id": "unique_id", "obj_id": "object_id", "ent_cat": "entity_category", "dev_cla": "device_class",
	"val_tpl": "value_template", "stat_t": "state_topic", "cmd_t": "command_topic", "cmd_tpl": "command_template",
	"ret": "retain", "unit_of_meas": "unit_of_measurement", "stat_cla": "state_class", "ops": "options",
	"pl_on": "payload_on", "pl_off": "payload_off", "stat_on": "state_on", "stat_off": "state_off",
	"stat_val_tpl": "state_value_template", "bri_cmd_t": "brightness_command_topic",
	"bri_stat_t": "brightness_state_topic", "bri_val_tpl": "brightness_value_template", "bri_scl": "brightness_scale",
	"pl_prs": "payload_press", "dev": "device", "o": "origin", "cmps": "components", "p": "platform",
	"sug_dsp_prc": "suggested_display_precision", "mode_cmd_t": "mode_command_topic", "mode_stat_t": "mode_state_topic",
	"mode_stat_tpl": "mode_state_template", "temp_cmd_t": "temperature_command_topic",
	"temp_stat_t": "temperature_state_topic", "temp_stat_tpl": "temperature_state_template",
	"temp_unit": "temperature_unit", "spd_rng_min": "speed_range_min", "spd_rng_max": "speed_range_max",
	"curr_temp_t":   "current_temperature_topic",
	"curr_temp_tpl": "current_temperature_template",
	"pl_open":       "payload_open", "pl_cls": "payload_close", "pl_stop": "payload_stop", "stat_open": "state_open",
	"stat_clsd": "state_closed", "stat_locked": "state_locked", "stat_unlocked": "state_unlocked",
	"pos_open": "position_open", "pos_clsd": "position_closed", "pos_t": "position_topic",
	"pos_tpl": "position_template", "set_pos_t": "set_position_topic", "pl_lock": "payload_lock",
	"pl_unlk": "payload_unlock", "pct_cmd_t": "percentage_command_topic", "pct_stat_t": "percentage_state_topic",
	"pct_val_tpl": "percentage_value_template", "pct_cmd_tpl": "percentage_command_template",
	"temp_cmd_tpl": "temperature_command_template", "mode_cmd_tpl": "mode_command_template",
	"avty": "availability", "avty_t": "availability_topic", "avty_tpl": "availability_template",
	"avty_mode": "availability_mode",
	"pl_avail":  "payload_available", "pl_not_avail": "payload_not_available",
	"ids": "identifiers", "cns": "connections", "mf": "manufacturer",
	"mdl": "model", "sw": "sw_version", "hw": "hw_version", "sn": "serial_number",
}

// doc is an announcement with the long names of its keys.
type doc map[string]any

func normal(m map[string]any) doc {
	d := make(doc, len(m))
	base, _ := m["~"].(string)
	for k, v := range m {
		if l, ok := long[k]; ok {
			k = l
		}
		if s, ok := v.(string); ok && base != "" && strings.HasSuffix(k, "topic") {
			if rest, ok := strings.CutPrefix(s, "~"); ok {
				v = base + rest
			} else if rest, ok := strings.CutSuffix(s, "~"); ok {
				v = rest + base
			}
		}
		d[k] = v
	}
	return d
}

func (d doc) text(key string) string {
	switch v := d[key].(type) {
	case string:
		return v
	case float64, bool:
		return textOf(v)
	}
	return ""
}

func (d doc) or(key, def string) string {
	if s := d.text(key); s != "" {
		return s
	}
	return def
}

func (d doc) number(key string) *float64 {
	if n, ok := number(d[key]); ok && d[key] != nil {
		return &n
	}
	return nil
}

func (d doc) sub(key string) doc {
	m, _ := d[key].(map[string]any)
	return normal(m)
}

func (d doc) texts(key string) (all []string) {
	list, _ := d[key].([]any)
	for _, v := range list {
		if s := line(textOf(v)); s != "" && !slices.Contains(all, s) && len(all) < domain.MaxArgOptions {
			all = append(all, s)
		}
	}
	return all
}

var errNoObject = errors.New("an announcement is a JSON object")

// ownOrigin is the name of the announcements that this server makes itself.
const ownOrigin = "Unhidra"

// Parse reads an announcement of Home Assistant's discovery. One without a payload, or with none that is
// still there, has no entities. What is behind a bridge has the name of its device before its own.
func Parse(topic string, payload []byte) ([]*Entity, error) { return parse(topic, payload, false) }

// ParseBridged is Parse for a bridge whose devices are told apart: their entities have no names before their own.
func ParseBridged(topic string, payload []byte) ([]*Entity, error) {
	return parse(topic, payload, true)
}

func parse(topic string, payload []byte, bridged bool) ([]*Entity, error) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(topic, Prefix), "/config"), "/")
	component, object := parts[0], parts[len(parts)-1]
	if !IsConfig(topic) || len(parts) < 2 || len(parts) > 3 || line(component) == "" || line(object) == "" {
		return nil, errors.New("this is no topic of an announcement")
	}
	if len(payload) == 0 {
		return nil, nil
	}
	var raw map[string]any
	if err := json.Unmarshal(payload, &raw); err != nil {
		return nil, errNoObject
	}
	d := normal(raw)
	if d.sub("origin").text("name") == ownOrigin {
		return nil, nil
	}
	if component != "device" {
		e := d.entity(component, object, strings.Join(parts, "/"), deviceOf(d.sub("device"), bridged))
		return []*Entity{e}, nil
	}
	return d.components(object, bridged)
}

// components reads the device form.
func (d doc) components(object string, bridged bool) (all []*Entity, err error) {
	dev := deviceOf(d.sub("device"), bridged)
	if dev.ID == "" {
		return nil, errors.New("an announcement of a device needs ids or cns in dev")
	}
	if d.sub("origin").text("name") == "" {
		return nil, errors.New("an announcement of a device needs a name in o")
	}
	raw, _ := d["components"].(map[string]any)
	for _, key := range sortedKeys(raw) {
		m, ok := raw[key].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("the component %q is no object", key)
		}
		c := normal(m)
		platform := c.text("platform")
		if platform == "" {
			return nil, fmt.Errorf("the component %q needs p", key)
		}
		if len(m) == 1 { // it is removed
			continue
		}
		for _, inherited := range []string{"state_topic", "command_topic", "availability", "availability_topic",
			"availability_mode", "availability_template", "payload_available", "payload_not_available"} {
			if c[inherited] == nil && d[inherited] != nil {
				c[inherited] = d[inherited]
			}
		}
		all = append(all, c.entity(platform, key, "device/"+object+"/"+key, dev))
	}
	return all, nil
}

func sortedKeys(m map[string]any) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func deviceOf(d doc, bridged bool) (dev Device) {
	dev.apart = bridged
	switch ids := d["identifiers"].(type) {
	case string:
		dev.ID = ids
	case []any:
		if len(ids) > 0 {
			dev.ID = textOf(ids[0])
		}
	}
	if cns, ok := d["connections"].([]any); ok && dev.ID == "" && len(cns) > 0 {
		if pair, ok := cns[0].([]any); ok && len(pair) == 2 {
			dev.ID = textOf(pair[1])
		}
	}
	dev.Name, dev.Via = line(d.text("name")), d.text("via_device")
	dev.Model = line(strings.TrimSpace(d.text("manufacturer") + " " + d.text("model")))
	dev.Hardware, dev.Firmware = line(d.text("hw_version")), line(d.text("sw_version"))
	dev.Serial = line(d.text("serial_number"))
	return dev
}

// title returns the name for people: the one announced, or that of the device class if none is. A name of
// null says that the entity is called as its device.
func (d doc) title() string {
	if _, named := d["name"]; named {
		return line(d.text("name"))
	}
	class := []rune(line(strings.ReplaceAll(d.text("device_class"), "_", " ")))
	if len(class) > 0 {
		class[0] = unicode.ToUpper(class[0])
	}
	return string(class)
}

// entity reads one component.
func (d doc) entity(component, object, key string, dev Device) *Entity {
	e := &Entity{Key: key, Component: component, Device: dev, Title: d.title(), Name: slug(d.text("name")),
		Available: d.availability()}
	if id := d.text("unique_id"); id != "" {
		e.Key = component + "/" + id
	}
	if e.Name == "" {
		e.Name = slug(object)
	}
	if e.Name == "" {
		e.Name = component
	}
	if dev.Via != "" && dev.Name != "" && !dev.apart { // behind a bridge
		e.Name = cut(slug(dev.Name)+"/"+e.Name, maxText)
		e.Title = line(dev.Name + " " + e.Title)
	}
	build := builders[component]
	if build == nil {
		e.Note = component + " is not supported"
		return e
	}
	build(d, e)
	return e
}

// sensor adds a value to an entity, if it has a topic.
func (e *Entity) sensor(name string, kind domain.ArgKind, topic, template string) *Sensor {
	if topic == "" {
		return nil
	}
	s := Sensor{Sensor: domain.Sensor{Name: name, Title: e.Title, Kind: kind}, Topic: topic}
	if template != "" {
		var err error
		if s.template, err = Compile(template); err != nil {
			e.Note = "the template is not understood: " + err.Error()
			return nil
		}
	}
	e.Sensors = append(e.Sensors, s)
	return &e.Sensors[len(e.Sensors)-1]
}

// action adds an action to an entity.
func (e *Entity) action(signs []sign, publish func(args map[string]any) []Publication, args ...domain.Arg) {
	e.Actions = append(e.Actions, Action{
		Actuator: domain.Actuator{Name: e.Name, Title: e.Title, Args: args}, Publish: publish, signs: signs,
	})
}
