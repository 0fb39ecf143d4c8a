package discovery

import (
	"encoding/json"
	"regexp"
	"strings"
)

// ownID is the form of the ids of devices of this server.
var ownID = regexp.MustCompile(`dev_[0-9a-hjkmnp-tv-z]{26}`)

// Foreign returns a device of this server other than self that an announcement names, in its ids or its topics;
// empty: none. Home Assistant would take such an entity to be that device's, or command that device by it.
func Foreign(payload []byte, self string) string {
	var doc any
	if json.Unmarshal(payload, &doc) != nil {
		return "" // nobody can read it
	}
	root, _ := doc.(map[string]any)
	base, _ := root["~"].(string)
	return foreign(doc, self, "~", base, base)
}

// foreign looks in a value, whose topics may be written with one of some bases in the place of ~.
func foreign(v any, self string, bases ...string) string {
	switch v := v.(type) {
	case string:
		for _, base := range bases {
			for _, id := range ownID.FindAllString(strings.ReplaceAll(v, "~", base), -1) {
				if id != self {
					return id
				}
			}
		}
	case []any:
		for _, x := range v {
			if id := foreign(x, self, bases...); id != "" {
				return id
			}
		}
	case map[string]any:
		if base, ok := v["~"].(string); ok {
			bases = []string{bases[0], bases[1], base}
		}
		for key, x := range v {
			for _, part := range []any{key, x} {
				if id := foreign(part, self, bases...); id != "" {
					return id
				}
			}
		}
	}
	return ""
}
