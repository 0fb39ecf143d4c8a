package eventtest

import (
	"reflect"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// TestEveryTypeHasASample holds that no type of the catalogue escapes the tests that go
// through the samples: each has one, with its payload, and one with each field of it set.
func TestEveryTypeHasASample(t *testing.T) {
	t.Parallel()
	of := make(map[domain.EventType][]domain.Event)
	names := make(map[string]bool)
	for _, s := range Samples("room_1", domain.UserRef{ID: "usr_1"}, domain.UserRef{ID: "usr_2"}) {
		if names[s.Name] {
			t.Errorf("two samples are called %s", s.Name)
		}
		names[s.Name] = true
		of[s.Event.Type] = append(of[s.Event.Type], s.Event)
		spec, known := s.Event.Type.Spec()
		if !known {
			t.Errorf("%s: the catalogue has no type %s", s.Name, s.Event.Type)
		}
		if reflect.TypeOf(s.Event.Payload) != reflect.TypeOf(spec.Payload) {
			t.Errorf("%s has %T as its payload, the catalogue says %T", s.Name, s.Event.Payload, spec.Payload)
		}
		if (s.Event.Message != nil) != (spec.Message != domain.NoMessage) {
			t.Errorf("%s: whether it has a message does not fit the catalogue", s.Name)
		}
	}
	for _, spec := range domain.EventSpecs() {
		if len(of[spec.Type]) == 0 {
			t.Errorf("no sample of %s", spec.Type)
		}
		if spec.Payload == nil {
			continue
		}
		p := reflect.TypeOf(spec.Payload)
		for i := range p.NumField() {
			set := false
			for _, e := range of[spec.Type] {
				set = set || !reflect.ValueOf(e.Payload).Field(i).IsZero()
			}
			if !set {
				t.Errorf("no sample of %s has %s.%s", spec.Type, p.Name(), p.Field(i).Name)
			}
		}
	}
}
