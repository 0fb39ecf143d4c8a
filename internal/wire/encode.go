package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

var errTrailing = errors.New("there is something after the value")

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

// explained says what is wrong with a number that many encoders write, and JSON (RFC 8259, section 6) lacks.
func explained(err error, data []byte) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 1 || syntax.Offset > int64(len(data)) {
		return err
	}
	rest := data[syntax.Offset-1:]
	if bytes.HasPrefix(rest, []byte("NaN")) || bytes.HasPrefix(rest, []byte("Inf")) {
		return fmt.Errorf("%w: JSON has no NaN and no Infinity; leave the value out, or send null", err)
	}
	return err
}
