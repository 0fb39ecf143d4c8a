package wire

import (
	"bytes"
	"encoding/json"
	"errors"
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
		return err
	}
	if d.More() {
		return errTrailing
	}
	return nil
}
