package discovery

import (
	"encoding/json"
	"strings"
)

// Shelly is what is known of a Shelly node, which announces nothing: it is recognised by its topics, and asked.
// See docs/mqtt.md.
type Shelly interface {
	// Prefix starts the topics of the node, without a slash.
	Prefix() string
	// Questions returns what is to be published so that the node says what it is and how it is.
	Questions() []Publication
	// Hear takes a message of the node, and reports whether it says of something new.
	Hear(m *Message, topic string) (news bool)
	// Entities returns what is known.
	Entities() []*Entity
}

// ShellyTopic returns the prefix of a topic by which a Shelly node can be recognised, with which it starts to talk.
// Of some topics the payload tells it. ok is false if it is none.
func ShellyTopic(topic, payload string) (prefix string, ok bool) {
	if prefix, ok = firstShelly(topic, payload); !ok {
		prefix, ok = laterShelly(topic, payload)
	}
	kept := strings.HasPrefix(topic, Prefix) || strings.HasPrefix(topic, TasmotaPrefix) || strings.HasPrefix(topic, "$")
	return prefix, ok && prefix != "" && !kept
}

// laterShelly is ShellyTopic for the second generation and later ones.
func laterShelly(topic, payload string) (prefix string, ok bool) {
	if prefix, ok = strings.CutSuffix(topic, shellyOnline); ok {
		return prefix, payload == "true" || payload == "false"
	}
	if prefix, ok = strings.CutSuffix(topic, shellyEvents); ok {
		var n shellyNotice
		return prefix, json.Unmarshal([]byte(payload), &n) == nil && n.Source != "" && strings.HasPrefix(n.Method, "Notify")
	}
	i := strings.LastIndex(topic, shellyStatus)
	if i < 0 {
		return "", false
	}
	part := topic[i+len(shellyStatus):]
	kind, _, numbered := strings.Cut(part, ":")
	return topic[:i], numbered && shellyParts[kind] != nil && strings.HasPrefix(payload, "{")
}

// NewShelly returns a node of which nothing is known yet but its prefix. It answers questions on the topic answers,
// which ends in /rpc.
func NewShelly(prefix, answers string) Shelly {
	if strings.HasPrefix(prefix, shellyFirst) {
		return &shelly1{prefix: prefix, tails: make(map[string]bool)}
	}
	return &Shelly2{prefix: prefix, answers: answers, parts: make(map[string]map[string]bool)}
}
