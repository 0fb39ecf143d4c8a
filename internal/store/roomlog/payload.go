package roomlog

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// An event's payload is stored as a JSON object, whose first field is the version of its
// form: {"v":1,"reason":"too loud"}. The catalogue of events says which version of each type
// is written. What was stored before versions has no such field, and the form of version 1.
//
// Programs of two versions may share a database, so a field that may be left out is added
// without another version. A change that an older program would misread raises the version
// of that type: then payloadOf reads the versions before into the new struct as well, and
// an older program keeps what it cannot read as it is.
const versionField = `{"v":`

// stored returns the stored form of e's payload, or nil if it has none.
func stored(e *domain.Event) (any, error) {
	spec, _ := e.Type.Spec()
	if reflect.TypeOf(e.Payload) != reflect.TypeOf(spec.Payload) {
		return nil, domain.Internal.Errorf("", "append %s: the catalogue has %T as its payload, not %T", e.Type, spec.Payload,
			e.Payload)
	}
	if e.Payload == nil {
		return nil, nil
	}
	b, err := json.Marshal(e.Payload)
	if err != nil {
		return nil, fmt.Errorf("append %s: %w", e.Type, err)
	}
	if len(b) == len(`{}`) {
		return versionField + strconv.Itoa(spec.Version) + `}`, nil
	}
	return versionField + strconv.Itoa(spec.Version) + `,` + string(b[1:]), nil
}

// payloadOf reads the stored form of the payload of an event of type t. One that only a
// newer program can read comes back as domain.UnknownPayload; what nobody can is an error.
func payloadOf(t domain.EventType, stored string) (domain.Payload, error) {
	version, fields, err := cutVersion(stored)
	if err != nil {
		return nil, fmt.Errorf("payload of %s: %w", t, err)
	}
	spec, known := t.Spec()
	if !known || spec.Payload == nil || version > spec.Version {
		if !json.Valid([]byte(stored)) {
			return nil, fmt.Errorf("payload of %s is no JSON", t)
		}
		return domain.UnknownPayload{Version: version, Stored: stored}, nil
	}
	p := reflect.New(reflect.TypeOf(spec.Payload))
	if err := json.Unmarshal(fields, p.Interface()); err != nil {
		return nil, fmt.Errorf("payload of %s, version %d: %w", t, version, err)
	}
	return p.Elem().Interface().(domain.Payload), nil
}

// cutVersion returns the version of a stored payload, 0 if it is from before versions, and
// the object without it.
func cutVersion(stored string) (version int, fields []byte, err error) {
	rest, ok := strings.CutPrefix(stored, versionField)
	if !ok {
		return 0, []byte(stored), nil
	}
	end := max(strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }), 0)
	version, err = strconv.Atoi(rest[:end])
	if err != nil || version < 1 {
		return 0, nil, fmt.Errorf("its version is no number from 1: %.40q", stored)
	}
	return version, []byte(`{` + strings.TrimPrefix(rest[end:], `,`)), nil
}
