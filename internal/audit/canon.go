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

// An object is a JSON object that is written in the canonical form of RFC 8785, without floating
// point: sorted keys, no spaces, and only the necessary escapes in strings. Values are string,
// int64, bool, object and, in the formats of some receivers, lists.
type object map[string]any

// canonical returns the canonical form of o.
func canonical(o object) []byte { return appendObject(make([]byte, 0, 512), o) }

func appendObject(b []byte, o object) []byte {
	keys := make([]string, 0, len(o))
	for k := range o {
		keys = append(keys, k)
	}
	// For ASCII keys this is the order of RFC 8785.
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

// A number is a fractional number in a receiver's format. Records have none.
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
	for _, r := range s { // invalid UTF-8 becomes U+FFFD
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

// parse reads an object in canonical form. It refuses any other form, because a record must have
// one text and so one hash.
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

// put sets key unless value is empty.
func (o object) put(key, value string) {
	if value != "" {
		o[key] = value
	}
}

// link returns the hash of a record: of the hash of the record before, and the record's own text.
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
