package wire

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// logged reports whether clients get events of a type as events: the others are answers.
func logged(s domain.EventSpec) bool { return s.Audience == domain.ForMembers }

// detailFields returns the fields of Detail that events of a type may have.
func detailFields(s domain.EventSpec) (fields []reflect.StructField) {
	if s.Payload == nil {
		return nil
	}
	p := reflect.TypeOf(s.Payload)
	for i := range p.NumField() {
		f, ok := reflect.TypeFor[Detail]().FieldByName(p.Field(i).Name)
		if !ok {
			panic(fmt.Sprintf("Detail has no field for %s.%s", p.Name(), p.Field(i).Name))
		}
		fields = append(fields, f)
	}
	return fields
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// eventSchemas adds to the schema of Event what each type of the catalogue says.
func eventSchemas(s *schemaSet) {
	var one []any
	for _, spec := range domain.EventSpecs() {
		if !logged(spec) {
			continue
		}
		name := "Event." + string(spec.Type)
		s.known[name] = s.eventSchema(spec)
		one = append(one, reference("components/schemas/"+name))
	}
	s.known["Event"] = append(s.known["Event"], field{"oneOf", one})
}

func (s *schemaSet) eventSchema(spec domain.EventSpec) obj {
	props, required := obj{{"type", obj{{"const", string(spec.Type)}}}}, []any{"type"}
	if spec.Subject {
		required = append(required, "subject")
	}
	if spec.Message != domain.NoMessage {
		required = append(required, "message")
	}
	if fields := detailFields(spec); len(fields) > 0 {
		var detail obj
		for _, f := range fields {
			s.field(f, &detail, new([]any))
		}
		props = append(props, field{"detail", obj{{"type", "object"}, {"properties", detail}}})
	}
	return obj{{"description", plainAbout(spec)}, {"type", "object"}, {"required", required}, {"properties", props}}
}

func plainAbout(s domain.EventSpec) string { return strings.ReplaceAll(s.About, "`", "") }

// eventTable is the catalogue as docs/protocol.md shows it.
func eventTable() string {
	var b strings.Builder
	b.WriteString("| Type | What happened | Line | Members | Seen by | Has |\n|---|---|---|---|---|---|\n")
	for _, s := range domain.EventSpecs() {
		line, moves := "no", ""
		switch {
		case s.Quiet:
			line = "folded"
		case s.Timeline:
			line = "yes"
		}
		switch {
		case s.Joins:
			moves = "joins"
		case s.Leaves != "":
			moves = "ends: `" + string(s.Leaves) + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", s.Type, s.About, line, moves, s.Audience,
			strings.Join(parts(s), ", "))
	}
	return b.String()
}

// parts are the fields of Event that events of a type have beside those that all have.
func parts(s domain.EventSpec) (names []string) {
	if s.Subject {
		names = append(names, "`subject`")
	}
	if s.Message != domain.NoMessage {
		names = append(names, "`message`")
	}
	for _, f := range detailFields(s) {
		names = append(names, "`detail."+jsonName(f)+"`")
	}
	return names
}

var shownTable = regexp.MustCompile("(?s)<!-- events -->\n(.*?)<!-- /events -->\n")

// TestProtocolDocHasTheCatalogue holds that docs/protocol.md shows the catalogue of events
// as it is. With -update it writes the table anew.
func TestProtocolDocHasTheCatalogue(t *testing.T) {
	doc, err := os.ReadFile(protocolDoc)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		doc = shownTable.ReplaceAllLiteral(doc, []byte("<!-- events -->\n"+eventTable()+"<!-- /events -->\n"))
		if err := os.WriteFile(protocolDoc, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found := shownTable.FindSubmatch(doc)
	if found == nil || !bytes.Equal(found[1], []byte(eventTable())) {
		t.Error("docs/protocol.md does not show the catalogue of events; run: go test ./internal/wire -update")
	}
}

// TestEveryEventHasAGoldenFrame holds that no type of the catalogue is without one, and
// that a golden frame shows no field that its type does not have.
func TestEveryEventHasAGoldenFrame(t *testing.T) {
	t.Parallel()
	shown := make(map[string]bool)
	for _, f := range goldenReplies() {
		e, ok := f.data.(*Event)
		if !ok {
			continue
		}
		spec, known := domain.EventType(e.Type).Spec()
		if !known || !logged(spec) || f.name != "server.event."+e.Type &&
			!strings.HasPrefix(f.name, "server.event."+e.Type+".") {
			t.Errorf("%s is of type %s", f.name, e.Type)
		}
		if (e.Subject != nil) != spec.Subject || (e.Message != nil) != (spec.Message != domain.NoMessage) ||
			(e.Detail != nil) != (spec.Payload != nil) {
			t.Errorf("%s has other parts than the catalogue says", f.name)
		}
		if e.Detail != nil {
			var may []string
			for _, d := range detailFields(spec) {
				may = append(may, d.Name)
			}
			for _, name := range setFields(reflect.ValueOf(*e.Detail)) {
				if !slices.Contains(may, name) {
					t.Errorf("%s has detail.%s, which its payload has not", f.name, name)
				}
			}
		}
		shown[e.Type] = true
	}
	for _, s := range domain.EventSpecs() {
		if logged(s) && !shown[string(s.Type)] {
			t.Errorf("no golden frame server.event.%s", s.Type)
		}
	}
}
