package wire

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/eventtest"
)

func samples() []eventtest.Sample {
	return eventtest.Samples(room1, domain.UserRef{ID: "usr_1"}, domain.UserRef{ID: "usr_2"})
}

// setFields returns the names of the fields of a struct that are not zero.
func setFields(v reflect.Value) (names []string) {
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			names = append(names, v.Type().Field(i).Name)
		}
	}
	slices.Sort(names)
	return names
}

// TestEveryPayloadIsTold holds that clients are told all of each payload, under the same
// names of fields, and nothing of one that this server does not know.
func TestEveryPayloadIsTold(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		e := s.Event
		got := FromEvent(e)
		if got.Type != string(e.Type) || (got.Subject != nil) != (e.Subject != nil) ||
			(got.Message != nil) != (e.Message != nil) {
			t.Errorf("%s is told as %+v", s.Name, got)
		}
		if (got.Detail != nil) != (e.Payload != nil) {
			t.Errorf("%s has %#v as its payload, and tells %+v", s.Name, e.Payload, got.Detail)
			continue
		}
		if e.Payload == nil {
			continue
		}
		if want, got := setFields(reflect.ValueOf(e.Payload)),
			setFields(reflect.ValueOf(*got.Detail)); !slices.Equal(got, want) {
			t.Errorf("%s: the payload has %v, and %v are told", s.Name, want, got)
		}
	}
	if got := FromEvent(domain.Event{Type: "reading.taken",
		Payload: domain.UnknownPayload{Version: 1, Stored: `{"v":1}`}}); got.Detail != nil {
		t.Errorf("of an unknown payload %+v is told", got.Detail)
	}
}

// TestReasonsToLeaveAreDocumented holds that room.left may say every reason of the catalogue.
func TestReasonsToLeaveAreDocumented(t *testing.T) {
	t.Parallel()
	f, _ := reflect.TypeFor[Left]().FieldByName("Reason")
	reasons := strings.Split(f.Tag.Get("enum"), ",")
	for _, s := range domain.EventSpecs() {
		if s.Leaves != "" && !slices.Contains(reasons, string(s.Leaves)) {
			t.Errorf("%s ends a membership for the reason %q, which room.left does not know", s.Type, s.Leaves)
		}
	}
}
