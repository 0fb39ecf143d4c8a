package app_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// webTypes says which schemas the web client's types stand for: of OpenAPI, or
// with "ws:" of AsyncAPI. A type may stand for several.
var webTypes = map[string][]string{
	"User": {"User", "ws:User"}, "Quote": {"Quote", "ws:Quote"}, "Message": {"Message", "ws:Message"},
	"Detail": {"Detail", "ws:Detail"}, "Keep": {"Keep", "ws:Keep"},
	"OutgoingHook": {"OutHookBody"}, "HookDelivery": {"DeliveryBody"},
	"SlashCommand": {"SlashBody"}, "SlashAnswer": {"ws:SlashAnswer"}, "KeepOf": {"KeepOf", "ws:KeepOf"},
	"RetentionRules": {"RulesOutputBody"}, "Event": {"TimelineLine", "Event", "ws:Event"}, "Folded": {"FoldedRun"},
	"Member": {"Member"}, "Room": {"ListedRoom"}, "RoomState": {"RoomState", "ws:RoomState"},
	"PublicRoom": {"PublicRoom"}, "RoomRequest": {"RoomRequest", "ws:RoomRequest"}, "Invite": {"Invite"},
	"Ban": {"Ban"}, "Status": {"Status", "ws:Status"}, "Profile": {"Profile", "ws:Profile"}, "Me": {"Me", "ws:Me"},
	"Factors": {"FactorsOutputBody"}, "SessionView": {"Session"}, "Enrolment": {"EnrolOutputBody"},
	"DeviceKey": {"DeviceKey"}, "Device": {"Device"}, "IssuedKey": {"IssuedDevice"}, "ClaimToken": {"ClaimToken"},
	"Seen": {"Presence", "ws:Presence"}, "Invitation": {"Preview"}, "Account": {"Account"},
	"AccountDetail": {"DetailOutputBody"}, "ServerInvite": {"ServerInvite"}, "OwnedRoom": {"ListedRoom"},
	"Health": {"Health"}, "AuditRecord": {"Entry"}, "AuditPage": {"ListOutputBody"}, "Verdict": {"VerifyOutputBody"},
	"ServerInfo": {"ServerOutputBody"}, "Hello": {"ws:Hello"}, "Sent": {"Sent", "ws:Sent"},
	"Chosen": {"Notifications", "ws:Notifications"}, "NotifyChoice": {"NotifyChoice"},
	"Subscribed": {"PushSubscription"}, "ModelList": {"ModelsOutputBody"}, "ModelAnswer": {"TryOutputBody"},
	"ModelChange": {"ModelChange"}, "AssistantList": {"AssistantList"}, "Assistant": {"AssistantBody"},
	"OwnReport": {"OwnReport"}, "MessageReport": {"MessageReport"},
	"ReportedMessage": {"ReportedMessage"}, "AdminReport": {"AdminReport"}, "ReportContext": {"ReportContext"},
	"ReportChanged": {"ws:ReportChanged"}, "UserGroup": {"UserGroup"}, "UserGroupMembers": {"UserGroupMembers"},
}

// TestWebTypes holds that the web client's types are those of the server's
// answers. The client may know fewer fields, but none that is not sent, none of
// another type, and none as certain that may be absent.
func TestWebTypes(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	_, body := get(t, s.URL+"/openapi.json")
	rest := make(map[string]any)
	if err := json.Unmarshal([]byte(body), &rest); err != nil {
		t.Fatal(err)
	}
	socket := asyncDocument(t)
	c := comparer{t, readTypes(t, "../../web/src/view", "../../web/src/state")}
	for _, name := range slices.Sorted(maps.Keys(webTypes)) {
		var all []schema
		for _, of := range webTypes[name] {
			doc := rest
			if plain, ws := strings.CutPrefix(of, "ws:"); ws {
				doc, of = socket, plain
			}
			all = append(all, schema{doc, map[string]any{"$ref": "#/components/schemas/" + of}}.resolved())
		}
		if c.types[name] == "" {
			t.Errorf("the web client has no type %s", name)
		}
		c.compare(name, name, all)
	}
}

// asyncDocument reads docs/asyncapi.yaml.
func asyncDocument(t *testing.T) map[string]any {
	t.Helper()
	file, err := os.ReadFile("../../docs/asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.Split(string(file), "\n"), func(l string) bool {
		return strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#")
	})
	document, _ := readYAML(lines, 0)
	return document
}

// TestWebTypesNotice holds that a difference is found.
func TestWebTypesNotice(t *testing.T) {
	t.Parallel()
	doc := map[string]any{"type": "object", "required": []any{"id"}, "properties": map[string]any{
		"id": map[string]any{"type": "string"}, "n": map[string]any{"type": "integer"},
		"kind": map[string]any{"type": "string", "enum": []any{"a", "b"}},
	}}
	for ts, good := range map[string]bool{
		"{ id: string; n?: number; kind?: 'a' | 'b' }": true,
		"{ id: string }":    true,
		"{ id: number }":    false,
		"{ id?: string }":   false,
		"{ n: number }":     false,
		"{ n?: number[] }":  false,
		"{ more?: number }": false,
		"{ kind?: 'a' }":    false,
	} {
		found := new(faults)
		comparer{found, nil}.compare(ts, "it", []schema{{nil, doc}})
		if (*found == 0) != good {
			t.Errorf("%s: %d faults", ts, *found)
		}
	}
}

type faults int

func (f *faults) Errorf(string, ...any) { *f++ }

// schema is a part of a document.
type schema struct {
	doc, is map[string]any
}

// resolved follows references.
func (s schema) resolved() schema {
	for {
		ref, _ := s.is["$ref"].(string)
		if ref == "" {
			return s
		}
		at := any(s.doc)
		for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			at = at.(map[string]any)[part]
		}
		s.is, _ = at.(map[string]any)
	}
}

// field finds a property, and whether it is always there.
func (s schema) field(name string) (schema, bool, bool) {
	properties, _ := s.is["properties"].(map[string]any)
	p, ok := properties[name].(map[string]any)
	required, _ := s.is["required"].([]any)
	return schema{s.doc, p}.resolved(), ok, slices.Contains(required, any(name))
}

// kind is the JSON type, without null.
func (s schema) kind() string {
	if all, ok := s.is["type"].([]any); ok {
		return all[0].(string)
	}
	kind, _ := s.is["type"].(string)
	return kind
}

// comparer compares TypeScript with schemas.
type comparer struct {
	t     interface{ Errorf(string, ...any) }
	types map[string]string // interfaces and aliases by name
}

var unionOfWords = regexp.MustCompile(`^'[^']*'( \| '[^']*')*$`)

// compare compares a type with all schemas that it stands for.
func (c comparer) compare(ts, where string, all []schema) {
	ts = strings.TrimSuffix(ts, " | undefined")
	ts = c.known(ts)
	want := map[string]string{"string": "string", "number": "integer number", "boolean": "boolean"}[ts]
	switch {
	case ts == "unknown":
		return
	case strings.HasPrefix(ts, "{") && strings.HasSuffix(ts, "}"):
		want = "object"
		c.fields(ts, where, all)
	case strings.HasSuffix(ts, "[]"):
		want = "array"
		var items []schema
		for _, s := range all {
			if of, ok := s.is["items"].(map[string]any); ok {
				items = append(items, schema{s.doc, of}.resolved())
			}
		}
		c.compare(strings.Trim(strings.TrimSuffix(ts, "[]"), "()"), where+"[]", items)
	case strings.HasPrefix(ts, "Record<string, "):
		want = "object"
	case strings.HasPrefix(ts, "["):
		want = "array"
	case unionOfWords.MatchString(ts):
		want = "string"
		c.words(ts, where, all)
	case want == "":
		c.t.Errorf("%s: what %q is is not known to this test", where, ts)
	}
	for _, s := range all {
		if s.kind() == "" || !slices.Contains(strings.Fields(want), s.kind()) {
			c.t.Errorf("%s is %s in the web client, and %s in the schema", where, ts, s.kind())
		}
	}
}

var fieldOf = regexp.MustCompile(`^(\w+)\['(\w+)'\]$`)

// known gives what a name stands for.
func (c comparer) known(ts string) string {
	for {
		of := c.types[ts]
		if m := fieldOf.FindStringSubmatch(ts); m != nil {
			of = membersOf(c.known(m[1]))[m[2]].ts
		}
		if of == "" {
			return ts
		}
		ts = of
	}
}

func (c comparer) fields(ts, where string, all []schema) {
	for name, f := range membersOf(ts) {
		var found []schema
		always := len(all) > 0
		for _, s := range all {
			p, ok, required := s.field(name)
			if ok {
				found = append(found, p)
			}
			always = always && required
		}
		at := where + "." + name
		switch {
		case len(found) == 0:
			c.t.Errorf("%s: the server sends no such field", at)
		case f.optional && always:
			c.t.Errorf("%s is optional in the web client, and always there", at)
		case !f.optional && !always:
			c.t.Errorf("%s is always there in the web client, and may be absent", at)
		default:
			c.compare(f.ts, at, found)
		}
	}
}

// words compares the values of a text, if the schema lists them.
func (c comparer) words(ts, where string, all []schema) {
	var known []string
	for w := range strings.SplitSeq(ts, " | ") {
		known = append(known, strings.Trim(w, "'"))
	}
	for _, s := range all {
		values, _ := s.is["enum"].([]any)
		for _, v := range values {
			if !slices.Contains(known, v.(string)) {
				c.t.Errorf("%s: the web client does not know %q", where, v)
			}
		}
		for _, w := range known {
			if w != "" && len(values) > 0 && !slices.Contains(values, any(w)) {
				c.t.Errorf("%s: %q is never sent", where, w)
			}
		}
	}
}
