// Package senml reads packs of sensor measurements (RFC 8428), in JSON and in CBOR. It decides
// nothing about what is in them.
package senml

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// A Record is one measurement, with what the base fields of its pack add to it.
type Record struct {
	Name string
	Unit string
	// At is the zero time if the record has none: it was measured now.
	At time.Time
	// Value is a number, a bool or a text. Its kind is 0 for data (vd), which is none of these. Of a
	// record with a sum alone, it is the sum.
	Value domain.Value
	Ago   bool // At was told as a span before now, or after it
}

// Limits of a pack.
const (
	MaxRecords = domain.MaxReadings
	maxFields  = 32
	version    = 10      // of SenML, that RFC 8428 describes
	relative   = 1 << 28 // a time below this is relative to now (section 4.5.3)
	farthest   = 1 << 33 // seconds, 272 years: what a time.Duration can have
)

// ErrPack is the error for what is no pack of this version.
var ErrPack = errors.New("this is no SenML pack")

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrPack}, args...)...)
}

// ParseJSON reads a pack in JSON (section 5).
func ParseJSON(b []byte, now time.Time) ([]Record, error) {
	var pack []map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&pack); err != nil {
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			return nil, wrong("%w", wire.NoJSON(err, b))
		}
		return nil, wrong("it is not an array of objects")
	}
	if d.More() {
		return nil, wrong("something follows it")
	}
	return resolve(pack, now)
}

// labels are the keys of CBOR (section 6, table 4).
var labels = map[int64]string{
	-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs",
	0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}

// ParseCBOR reads a pack in CBOR (section 6).
func ParseCBOR(b []byte, now time.Time) ([]Record, error) {
	mode, err := cbor.DecOptions{MaxArrayElements: MaxRecords, MaxMapPairs: maxFields, MaxNestedLevels: 4,
		DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode()
	if err != nil {
		return nil, err
	}
	var raw []map[any]any
	if err := mode.Unmarshal(b, &raw); err != nil {
		if kind := (*cbor.UnmarshalTypeError)(nil); errors.As(err, &kind) {
			return nil, wrong("it is not an array of maps")
		}
		return nil, wrong("%v", err)
	}
	pack := make([]map[string]any, len(raw))
	for i, record := range raw {
		pack[i] = make(map[string]any, len(record))
		for k, v := range record {
			name, err := label(k)
			if err != nil {
				return nil, err
			}
			if name != "" {
				pack[i][name] = number(v)
			}
		}
	}
	return resolve(pack, now)
}

// label is the name of a key; empty: one that may be ignored.
func label(k any) (string, error) {
	switch k := k.(type) {
	case string:
		return k, nil
	case uint64:
		if k <= math.MaxInt32 {
			return labels[int64(k)], nil
		}
		return "", nil
	case int64:
		return labels[k], nil
	}
	return "", wrong("a key is a number or a text")
}

// number makes all numbers of CBOR a float64, as those of JSON are.
func number(v any) any {
	switch v := v.(type) {
	case uint64:
		return float64(v)
	case int64:
		return float64(v)
	case float32:
		return float64(v)
	}
	return v
}

// base are the fields that hold from their record on, until others come (section 4.1).
type base struct {
	name, unit       string
	time, value, sum float64
	version          float64
}

func resolve(pack []map[string]any, now time.Time) ([]Record, error) {
	if len(pack) > MaxRecords {
		return nil, wrong("it has more than %d records", MaxRecords)
	}
	b := base{version: version}
	records := make([]Record, 0, len(pack))
	for i, fields := range pack {
		f := record{fields: fields}
		for name := range fields {
			if strings.HasSuffix(name, "_") { // section 4.4
				return nil, wrong("record %d has the field %.20q, which must be understood and is not", i, name)
			}
		}
		r, has := f.resolve(&b, now)
		if f.err != nil {
			return nil, wrong("record %d: %v", i, f.err)
		}
		if b.version < 1 || b.version > version { // up to 9 were drafts (section 4.4): RFC 8428 has one in an example
			return nil, wrong("it is of version %v; this server reads those up to %d", b.version, version)
		}
		if has {
			records = append(records, r)
		}
	}
	return records, nil
}

// A record reads the fields of one record.
type record struct {
	fields map[string]any
	err    error
}

func (f *record) float(name string) (v float64, has bool) {
	raw, has := f.fields[name]
	if !has {
		return 0, false
	}
	v, ok := raw.(float64)
	if !ok {
		f.err = fmt.Errorf("%s is no number", name)
	}
	return v, true
}

func (f *record) text(name string) (v string, has bool) {
	raw, has := f.fields[name]
	if !has {
		return "", false
	}
	v, ok := raw.(string)
	if !ok {
		f.err = fmt.Errorf("%s is no text", name)
	}
	return v, true
}

// resolve returns the record with what base adds. has is false if it has base fields alone.
func (f *record) resolve(b *base, now time.Time) (r Record, has bool) {
	if v, ok := f.text("bn"); ok {
		b.name = v
	}
	if v, ok := f.text("bu"); ok {
		b.unit = v
	}
	for name, to := range map[string]*float64{"bt": &b.time, "bv": &b.value, "bs": &b.sum, "bver": &b.version} {
		if v, ok := f.float(name); ok {
			*to = v
		}
	}
	name, _ := f.text("n")
	unit, own := f.text("u")
	if !own {
		unit = b.unit
	}
	at, timed := f.float("t")
	_, based := f.fields["bt"]
	r = Record{Name: b.name + name, Unit: unit}
	if timed || based || b.time != 0 {
		r.At, r.Ago = timeOf(b.time+at, now)
	}
	r.Value, has = f.value(b)
	return r, has
}

// timeOf is a time in seconds: since 1970, or relative to now if it is small. One that is too far away is
// cut, so that it is still far away.
func timeOf(seconds float64, now time.Time) (at time.Time, ago bool) {
	if seconds == 0 {
		return at, false
	}
	if seconds < relative {
		seconds = max(seconds, -farthest)
		return now.Add(time.Duration(seconds * float64(time.Second))), true
	}
	whole, rest := math.Modf(min(seconds, farthest))
	return time.Unix(int64(whole), int64(math.Round(rest*1e3))*int64(time.Millisecond)).UTC(), false
}

// value returns the value of a record: exactly one, or a sum alone.
func (f *record) value(b *base) (v domain.Value, has bool) {
	n := 0
	if number, ok := f.float("v"); ok {
		v, n = domain.Number(b.value+number), n+1
	}
	if text, ok := f.text("vs"); ok {
		v, n = domain.Text(text), n+1
	}
	if raw, ok := f.fields["vb"]; ok {
		is, isBool := raw.(bool)
		if !isBool {
			f.err = errors.New("vb is no bool")
		}
		v, n = domain.Bool(is), n+1
	}
	if _, ok := f.fields["vd"]; ok {
		v, n = domain.Value{}, n+1
	}
	if n > 1 {
		f.err = errors.New("it has several values")
	}
	if sum, ok := f.float("s"); ok && n == 0 {
		return domain.Number(b.sum + sum), true
	}
	if n == 0 && b.value != 0 && f.fields["n"] != nil { // a base value alone is the value (section 4.5.4)
		return domain.Number(b.value), true
	}
	return v, n == 1
}
