package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	errTrailing = errors.New("there is something after the value")
	errEmpty    = errors.New("it is empty")
	errShort    = errors.New("it ends before it is complete")
	errTime     = errors.New("write a time as 2026-01-31T08:00:00Z (RFC 3339)")
)

// Encode returns v as JSON, without the escapes that only matter inside HTML:
// a text of 16 KiB stays under MaxFrame whatever it says.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// Decode reads a frame of a client, or the data inside it, into v. Unknown fields and
// anything after the value are errors.
func Decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return explained(err, data)
	}
	if d.More() {
		return errTrailing
	}
	return nil
}

// explained says in words of JSON what of data could not be decoded, instead of in those of Go.
func explained(err error, data []byte) error {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var moment *time.ParseError
	text := err.Error()
	name, unknown := strings.CutPrefix(text, "json: unknown field ")
	switch {
	case errors.Is(err, io.EOF):
		return errEmpty
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errShort
	case errors.As(err, &kind):
		return mistaken(kind)
	case errors.As(err, &syntax):
		return noJSON(syntax, data)
	case errors.As(err, &moment), strings.HasPrefix(text, "Time.UnmarshalJSON"):
		return errTime
	case unknown:
		return fmt.Errorf("there is no field %.100s", name)
	}
	return err
}

// mistaken says what stands where something else must.
func mistaken(err *json.UnmarshalTypeError) error {
	field, is := "it", err.Value
	if err.Field != "" {
		field = err.Field
	}
	if number, ok := strings.CutPrefix(is, "number "); ok {
		is = number
	}
	if known, ok := map[string]string{"number": "a number", "string": "a text", "array": "a list", "object": "an object",
		"bool": "true or false"}[is]; ok {
		is = known
	}
	return fmt.Errorf("%.100s must be %s, not %.50s", field, kindOf(err.Type), is)
}

// kindOf is what JSON has for a type of Go.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return fmt.Sprintf("a whole number from 0 to %d", ^uint64(0)>>(64-t.Bits()))
	default:
		return "an object"
	}
}

// NoJSON says where data is not JSON, if that is what err is about. Any other error is returned as it is.
func NoJSON(err error, data []byte) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	return noJSON(syntax, data)
}

// noJSON names what stands where it cannot, and numbers that many encoders write, and JSON (RFC 8259,
// section 6) lacks.
func noJSON(err *json.SyntaxError, data []byte) error {
	at := err.Offset - 1
	switch {
	case strings.Contains(err.Error(), "max depth"):
		return errors.New("it is nested too deep")
	case len(bytes.TrimSpace(data)) == 0:
		return errEmpty
	case at < 0 || at >= int64(len(data)) || strings.HasPrefix(err.Error(), "unexpected end"):
		return errShort
	}
	rest := data[at:]
	if bytes.HasPrefix(rest, []byte("NaN")) || bytes.HasPrefix(rest, []byte("Inf")) {
		return errors.New("JSON has no NaN and no Infinity; leave the value out, or send null")
	}
	char, _ := utf8.DecodeRune(rest)
	return fmt.Errorf("it is not JSON: at byte %d, %q cannot stand", err.Offset, string(char))
}
