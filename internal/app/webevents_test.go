package app_test

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

const webEvents = "../../web/src/view/events.ts"

var (
	webDetail = regexp.MustCompile(`(?m)^  '([a-z.]+)': (object|\{\s(?:[^{}]|\{[^{}]*\})*\s\});$`)
	webSpec   = regexp.MustCompile(`(?m)^  '([a-z.]+)': \{ line: (true|false)(?:, moves: '(joins|leaves)')? \},$`)
)

// TestWebEvents holds that the web client's catalogue of events is the server's: the same
// types, each with the same fields of its detail, a line or none, and the same members
// after it. Whatever words it has for them is checked by its compiler, by these types.
func TestWebEvents(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile(webEvents)
	if err != nil {
		t.Fatal(err)
	}
	details := make(map[string]string)
	for _, m := range webDetail.FindAllStringSubmatch(string(file), -1) {
		details[m[1]] = m[2]
	}
	specs := make(map[string][]string)
	for _, m := range webSpec.FindAllStringSubmatch(string(file), -1) {
		specs[m[1]] = m[2:]
	}
	types := make(map[string]bool)
	c := comparer{t, readTypes(t, "../../web/src/view", "../../web/src/state")}
	socket := asyncDocument(t)
	for _, s := range domain.EventSpecs() {
		if s.Audience != domain.ForMembers {
			continue
		}
		name := string(s.Type)
		types[name] = true
		if want := webSpecOf(s); !slices.Equal(specs[name], want) {
			t.Errorf("%s is %v in the web client, and %v in the catalogue", name, specs[name], want)
		}
		compareDetail(t, c, s, details[name], schema{socket,
			map[string]any{"$ref": "#/components/schemas/Event." + name}}.resolved())
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(details)), slices.Collect(maps.Keys(specs))) {
		if !types[name] {
			t.Errorf("the web client has a type %s, which the catalogue has not", name)
		}
	}
}

// webSpecOf is a row of the catalogue as the web client writes it.
func webSpecOf(s domain.EventSpec) []string {
	line, moves := "false", ""
	if s.Timeline {
		line = "true"
	}
	switch {
	case s.Joins:
		moves = "joins"
	case s.Leaves != "":
		moves = "leaves"
	}
	return []string{line, moves}
}

// compareDetail compares what the web client says of a detail with the schema of its
// type's events: it has every field.
func compareDetail(t *testing.T, c comparer, s domain.EventSpec, ts string, event schema) {
	detail, has, _ := event.field("detail")
	if has != (s.Payload != nil) || event.is == nil {
		t.Errorf("the schema of %s does not fit the catalogue", s.Type)
	}
	if !has {
		if ts != "object" {
			t.Errorf("%s has the detail %q in the web client, and none in the catalogue", s.Type, ts)
		}
		return
	}
	if !strings.HasPrefix(ts, "{") {
		t.Errorf("%s has the detail %q in the web client", s.Type, ts)
		return
	}
	c.compare(ts, string(s.Type)+".detail", []schema{detail})
	if known := len(membersOf(ts)); known != reflect.TypeOf(s.Payload).NumField() {
		t.Errorf("the web client knows %d fields of the detail of %s, the catalogue has %d", known, s.Type,
			reflect.TypeOf(s.Payload).NumField())
	}
}
