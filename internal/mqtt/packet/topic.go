package packet

import "strings"

// CheckTopic refuses what cannot be published to: nothing, and names with wildcards.
func CheckTopic(t string) error {
	switch {
	case t == "":
		return violation("a topic cannot be empty")
	case len(t) > 0xffff:
		return malformed("a topic has at most 65,535 bytes")
	case strings.ContainsAny(t, "+#"):
		return &Error{BadTopic, "a topic to publish to has no wildcards"}
	}
	return nil
}

// sharePrefix starts the filter of a shared subscription: $share/NAME/FILTER.
const sharePrefix = "$share/"

// SplitShare returns the name and the inner filter of a shared subscription; the name is empty
// if f is another. ok is false if it is not formed as MQTT 5 section 4.8.2 wants it.
func SplitShare(f string) (name, filter string, ok bool) {
	rest, shared := strings.CutPrefix(f, sharePrefix)
	if !shared {
		return "", f, true
	}
	name, filter, ok = strings.Cut(rest, "/")
	return name, filter, ok && name != "" && filter != "" && !strings.ContainsAny(name, "+#")
}

// CheckFilter refuses what cannot be subscribed to. It takes filters without $share.
func CheckFilter(f string) error {
	if f == "" || len(f) > 0xffff {
		return &Error{BadFilter, "a filter has between 1 and 65,535 bytes"}
	}
	for level := range strings.SplitSeq(f, "/") {
		if level == "#" && !strings.HasSuffix(f, level) || len(level) > 1 && strings.ContainsAny(level, "+#") {
			return &Error{BadFilter, "a wildcard is a level of its own, and # is the last"}
		}
	}
	if i := strings.IndexByte(f, '#'); i >= 0 && i != len(f)-1 {
		return &Error{BadFilter, "# is the last level"}
	}
	return nil
}

// HasWildcard reports whether a filter stands for several topics.
func HasWildcard(f string) bool { return strings.ContainsAny(f, "+#") }

// Match reports whether a topic is one that a filter stands for (MQTT 5 section 4.7).
func Match(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && !strings.HasPrefix(filter, "$") && HasWildcard(filter[:min(1, len(filter))]) {
		return false
	}
	for {
		if filter == "#" {
			return true
		}
		f, restF, moreF := strings.Cut(filter, "/")
		t, restT, moreT := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		if !moreT {
			return !moreF || restF == "#"
		}
		if !moreF {
			return false
		}
		filter, topic = restF, restT
	}
}
