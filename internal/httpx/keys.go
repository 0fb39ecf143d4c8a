package httpx

import (
	"bytes"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
)

// A body is read twice, and both readings must see the same. encoding/json takes Members for members, so huma must
// not take it for a field that it then leaves unchecked: names in another case are unknown.
func init() { huma.ValidateStrictCasing = true }

// keyTwice returns the first key of body, which is valid JSON, that comes twice in one object. Of such only the last
// value would be checked, while a struct is filled with all of them.
func keyTwice(body []byte) (key string, twice bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // whether they are in range, others say
	return nextTwice(d)
}

// nextTwice reads the next value of d.
func nextTwice(d *json.Decoder) (key string, twice bool) {
	var seen map[string]bool
	switch start, _ := d.Token(); start {
	case json.Delim('{'):
		seen = map[string]bool{}
	case json.Delim('['):
	default:
		return "", false
	}
	for d.More() {
		if seen != nil {
			token, _ := d.Token()
			name, _ := token.(string)
			if seen[name] {
				return name, true
			}
			seen[name] = true
		}
		if key, twice = nextTwice(d); twice {
			return key, true
		}
	}
	_, _ = d.Token() // its end
	return "", false
}
