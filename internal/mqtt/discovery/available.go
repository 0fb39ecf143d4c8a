package discovery

import "slices"

// Availability is a topic by which a device says whether it is there, beside its connection.
type Availability struct {
	Topic    string
	yes, no  string // payloads
	template *Template
	mode     string // all, any, or latest
}

// There returns whether a device is there by what its topics last said: those that are down say that it is not, and
// said is what the last message did.
func (a Availability) There(all map[string]Availability, down map[string]bool, said bool) bool {
	count := 0
	for topic := range all {
		if down[topic] {
			count++
		}
	}
	switch a.mode {
	case "all":
		return count == 0
	case "any":
		return count < len(all)
	}
	return said
}

// Says returns whether a message says that the device is there; known is false if it says neither.
func (a Availability) Says(m *Message) (there, known bool) {
	text, ok, err := a.template.Apply(m)
	if err != nil || !ok {
		return false, false
	}
	return text == a.yes, text == a.yes || text == a.no
}

// availability reads the topics of an announcement, in both forms. One whose template is not understood
// is left out.
func (d doc) availability() (all []Availability) {
	add := func(e doc, topic, template string) {
		a := Availability{Topic: topic, yes: e.or("payload_available", "online"),
			no: e.or("payload_not_available", "offline"), mode: d.text("availability_mode")}
		if template != "" {
			var err error
			if a.template, err = Compile(template); err != nil {
				return
			}
		}
		if topic != "" {
			all = append(all, a)
		}
	}
	add(d, d.text("availability_topic"), d.text("availability_template"))
	list, _ := d["availability"].([]any)
	for _, one := range list {
		raw, ok := one.(map[string]any)
		if !ok {
			continue
		}
		based := map[string]any{"~": d["~"]}
		for k, v := range raw {
			if k == "t" {
				k = "topic"
			}
			based[k] = v
		}
		e := normal(based)
		add(e, e.text("topic"), e.text("value_template"))
	}
	return all
}

// Common returns the topics that all entities of a device have: those of the device, and not of one that
// is behind it.
func Common(entities []*Entity) map[string]Availability {
	common := make(map[string]Availability)
	for i, e := range entities {
		for topic := range common {
			if !slices.ContainsFunc(e.Available, func(a Availability) bool { return a.Topic == topic }) {
				delete(common, topic)
			}
		}
		for _, a := range e.Available {
			if i == 0 {
				common[a.Topic] = a
			}
		}
	}
	return common
}
