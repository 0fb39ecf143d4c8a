package audit

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An object is a JSON object on its way into canonical form, the part of RFC
// 8785 that needs no floating point: keys in order, no spaces, strings escaped
// only where they must be. Values are string, int64, bool, object and, where a
// line goes to a receiver that wants them, lists.
type object map[string]any

// canonical returns o as the one text that stands for it.
func canonical(o object) []byte { return appendObject(make([]byte, 0, 512), o) }

func appendObject(b []byte, o object) []byte {
	keys := make([]string, 0, len(o))
	for k := range o {
		keys = append(keys, k)
	}
	// Keys are ASCII, for which this is the order of RFC 8785 as well.
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		b = appendValue(b, o[k])
	}
	return append(b, '}')
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendString(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case bool:
		return strconv.AppendBool(b, v)
	case object:
		return appendObject(b, v)
	case number:
		return append(b, v...)
	case []string:
		return appendList(b, v)
	case []object:
		return appendList(b, v)
	}
	panic(fmt.Sprintf("audit: a %T has no canonical form", v))
}

// A number is one that a receiver wants with a fraction. Records have none.
type number string

func appendList[T any](b []byte, vs []T) []byte {
	b = append(b, '[')
	for i, v := range vs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendValue(b, v)
	}
	return append(b, ']')
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s { // what is not UTF-8 becomes U+FFFD
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r == '\t':
			b = append(b, '\\', 't')
		case r == '\b':
			b = append(b, '\\', 'b')
		case r == '\f':
			b = append(b, '\\', 'f')
		case r < 0x20:
			b = append(b, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// parse reads a canonical text back, and refuses any other: two texts for one
// record would have two hashes.
func parse(b []byte) (object, error) {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	o, err := narrowed(m)
	if err != nil {
		return nil, err
	}
	if string(canonical(o)) != string(b) {
		return nil, fmt.Errorf("is not in canonical form")
	}
	return o, nil
}

func narrowed(m map[string]any) (object, error) {
	o := make(object, len(m))
	for k, v := range m {
		switch v := v.(type) {
		case string, bool:
			o[k] = v
		case json.Number:
			n, err := v.Int64()
			if err != nil {
				return nil, fmt.Errorf("%q is not a whole number", k)
			}
			o[k] = n
		case map[string]any:
			in, err := narrowed(v)
			if err != nil {
				return nil, err
			}
			o[k] = in
		default:
			return nil, fmt.Errorf("%q has a value that records have not", k)
		}
	}
	return o, nil
}

func (o object) str(key string) string { s, _ := o[key].(string); return s }

func (o object) int(key string) int64 { n, _ := o[key].(int64); return n }

func (o object) obj(key string) object { in, _ := o[key].(object); return in }

// put sets a value unless it is empty.
func (o object) put(key, value string) {
	if value != "" {
		o[key] = value
	}
}

// link returns the hash of a record: over the hash of the one before, and its
// own text.
func link(before, body []byte) []byte {
	h := sha256.New()
	_, _ = h.Write([]byte("audit-v1\x00"))
	if len(before) == 0 {
		before = make([]byte, sha256.Size)
	}
	_, _ = h.Write(before)
	_, _ = h.Write(body)
	return h.Sum(nil)
}
