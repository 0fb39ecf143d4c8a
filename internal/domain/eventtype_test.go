package domain

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// declared returns the constants of type EventType.
func declared(t *testing.T) (types []EventType) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "eventtype.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := v.Type.(*ast.Ident); ok && name.Name == "EventType" {
			s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			types = append(types, EventType(s))
		}
		return true
	})
	return types
}

// TestCatalogueHasEveryType holds that each constant has one row, and each row a constant.
func TestCatalogueHasEveryType(t *testing.T) {
	t.Parallel()
	listed := EventTypes(func(EventSpec) bool { return true })
	if want := declared(t); len(want) < 13 || !slices.Equal(listed, want) {
		t.Errorf("the catalogue has %v, the constants are %v", listed, want)
	}
}

// TestCatalogueIsSound holds that no row says two things that exclude each other.
func TestCatalogueIsSound(t *testing.T) {
	t.Parallel()
	for _, s := range EventSpecs() {
		moves := s.Joins || s.Leaves != ""
		for what, wrong := range map[string]bool{
			"has no description":                              s.About == "",
			"has no audience":                                 s.Audience != ForMembers && s.Audience != ForActor,
			"is a line of no log":                             s.Timeline && s.Audience != ForMembers,
			"is folded and no line":                           s.Quiet && !s.Timeline,
			"moves nobody in particular":                      moves && !s.Subject,
			"joins and leaves":                                s.Joins && s.Leaves != "",
			"moves somebody and is in no log":                 moves && s.Audience != ForMembers,
			"changes a message and is a line of its own":      s.Message == ChangedMessage && s.Timeline,
			"is a message and no line":                        s.Message == NewMessage && !s.Timeline,
			"is to be found and has no text":                  s.Indexed && s.Message != NewMessage,
			"has a payload without a version, or the reverse": (s.Payload == nil) != (s.Version == 0),
			"is unread and no line":                           s.Unread && !s.Timeline,
			"is folded, and would hide what somebody wrote":   s.Quiet && s.Unread,
		} {
			if wrong {
				t.Errorf("%s %s", s.Type, what)
			}
		}
	}
}

// TestUnknownTypeIsALine holds what is made of an event that a newer server wrote.
func TestUnknownTypeIsALine(t *testing.T) {
	t.Parallel()
	newer := EventType("reading.taken")
	s, known := newer.Spec()
	if known || s.Type != newer || s.Audience != ForMembers || !newer.Timeline() || newer.Quiet() || newer.Joins() ||
		newer.Leaves() != "" {
		t.Errorf("an unknown type is %+v, known %v", s, known)
	}
}
