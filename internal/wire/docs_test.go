package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	protocolDoc = "../../docs/protocol.md"
	asyncDoc    = "../../docs/asyncapi.yaml"
)

var example = regexp.MustCompile("(?s)<!-- golden: (\\S+) -->\n```json\n(.*?)```\n")

// TestProtocolDoc holds that docs/protocol.md shows every golden frame, as it
// is. With -update it writes the examples anew.
func TestProtocolDoc(t *testing.T) {
	doc, err := os.ReadFile(protocolDoc)
	if err != nil {
		t.Fatal(err)
	}
	golden := func(name string) string {
		b, err := os.ReadFile(filepath.Join("testdata", "golden", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if *update {
		doc = example.ReplaceAllFunc(doc, func(m []byte) []byte {
			name := string(example.FindSubmatch(m)[1])
			return []byte("<!-- golden: " + name + " -->\n```json\n" + golden(name) + "```\n")
		})
		if err := os.WriteFile(protocolDoc, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shown := make(map[string]bool)
	for _, m := range example.FindAllStringSubmatch(string(doc), -1) {
		shown[m[1]] = true
		if m[2] != golden(m[1]) {
			t.Errorf("the example of %s is not the golden frame; run: go test ./internal/wire -update", m[1])
		}
	}
	for _, f := range append(goldenRequests(), goldenReplies()...) {
		if !shown[f.name] {
			t.Errorf("docs/protocol.md has no example of %s", f.name)
		}
	}
	for _, f := range append(Requests(), News()...) {
		if !bytes.Contains(doc, []byte("`"+f.Type+"`")) {
			t.Errorf("docs/protocol.md does not name the frame %s", f.Type)
		}
	}
	for _, code := range []int{CloseBadFrame, CloseToken, CloseForbidden, CloseTimeout, CloseRevoked, CloseRate, CloseSlow,
		CloseRestarting} {
		if !bytes.Contains(doc, []byte("| "+strconv.Itoa(code)+" |")) {
			t.Errorf("docs/protocol.md does not explain the close code %d", code)
		}
	}
}

// TestCatalogIsComplete holds that every frame of the catalogue has its golden
// frames, and that these hold what the catalogue says.
func TestCatalogIsComplete(t *testing.T) {
	kinds := make(map[string]reflect.Type)
	for _, f := range append(goldenRequests(), goldenReplies()...) {
		if f.data != nil {
			kinds[f.name] = reflect.TypeOf(f.data).Elem()
		} else {
			kinds[f.name] = nil
		}
	}
	check := func(name string, data any) {
		want := reflect.TypeOf(data)
		for known, got := range kinds {
			if known == name || strings.HasPrefix(known, name+".") && strings.HasPrefix(name, "server.event") {
				if got != want {
					t.Errorf("golden frame %s holds %v, the catalogue says %v", known, got, want)
				}
				return
			}
		}
		t.Errorf("no golden frame %s", name)
	}
	for _, f := range Requests() {
		check("client."+f.Type, f.Data)
		if !f.Silent {
			check("server.ok."+f.Type, f.Answer)
		}
	}
	for _, f := range News() {
		check("server."+f.Type, f.Data)
	}
}

// TestAsyncAPI holds that docs/asyncapi.yaml is what the types say. With
// -update it is written anew.
func TestAsyncAPI(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Written from the types of internal/wire: go test ./internal/wire -update\n")
	writeYAML(&b, asyncAPI(), 0)
	if *update {
		if err := os.WriteFile(asyncDoc, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(asyncDoc)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, b.Bytes()) {
		t.Error("docs/asyncapi.yaml is not what the types say; run: go test ./internal/wire -update")
	}
	for _, f := range append(Requests(), News()...) {
		if !bytes.Contains(file, []byte("const: "+strconv.Quote(f.Type))) {
			t.Errorf("docs/asyncapi.yaml does not describe the frame %s", f.Type)
		}
	}
}

// obj is an object whose fields keep their order.
type obj []field

type field struct {
	key   string
	value any // string, int, bool, obj or []any
}

// traceable adds to the envelope of a request the trace that it is a part of.
func traceable(envelope obj) obj {
	for i, f := range envelope {
		if f.key == "properties" {
			envelope[i].value = append(f.value.(obj), field{"trace", obj{{"type", "string"},
				{"description", "traceparent of W3C Trace Context: of which trace the request is a part"}}})
		}
	}
	return envelope
}

func reference(to string) obj { return obj{{"$ref", "#/" + to}} }

func asyncAPI() obj {
	schemas := &schemaSet{known: make(map[string]obj), closed: make(map[string]bool)}
	for _, f := range Requests() {
		if f.Data != nil {
			schemas.closed[reflect.TypeOf(f.Data).Name()] = true
		}
	}
	var messages, channel, operations obj
	add := func(name string, payload obj, summary string) {
		messages = append(messages, field{name, obj{{"name", name}, {"summary", summary}, {"payload", payload}}})
		channel = append(channel, field{name, reference("components/messages/" + name)})
	}
	inChannel := func(name string) []any { return []any{reference("channels/socket/messages/" + name)} }
	add("server.error", envelope(TypeError, true, nil, schemas.ref(reflect.TypeFor[ErrorBody]())),
		"A request was refused, or a frame was malformed.")
	for _, f := range Requests() {
		in := "client." + f.Type
		add(in, traceable(envelope(f.Type, true, schemas.of(f.Data), nil)), f.Summary)
		op := obj{{"action", "receive"}, {"channel", reference("channels/socket")}, {"summary", f.Summary},
			{"messages", inChannel(in)}}
		if !f.Silent {
			out := "server.ok." + f.Type
			add(out, envelope(TypeOK, true, schemas.of(f.Answer), nil), "The answer to "+f.Type+".")
			op = append(op, field{"reply", obj{{"channel", reference("channels/socket")},
				{"messages", append(inChannel(out), inChannel("server.error")...)}}})
		}
		operations = append(operations, field{in, op})
	}
	for _, f := range News() {
		name := "server." + f.Type
		add(name, envelope(f.Type, false, schemas.of(f.Data), nil), f.Summary)
		operations = append(operations, field{name, obj{
			{"action", "send"}, {"channel", reference("channels/socket")}, {"summary", f.Summary}, {"messages", inChannel(name)},
		}})
	}
	eventSchemas(schemas)
	return obj{
		{"asyncapi", "3.0.0"},
		{"info", obj{
			{"title", "Unhidra"}, {"version", "1"},
			{"description", "The frames of the WebSocket. docs/protocol.md says how they play together."},
		}},
		{"defaultContentType", "application/json"},
		{"servers", obj{{"local", obj{{"host", "localhost:9000"}, {"protocol", "ws"},
			{"description", "what `make run` starts"}}}}},
		{"channels", obj{{"socket", obj{
			{"address", "/ws"},
			{"description", "Subprotocols: \"bearer\" and the access token, in this order. The server chooses \"bearer\"."},
			{"messages", channel},
		}}}},
		{"operations", operations},
		{"components", obj{{"messages", messages}, {"schemas", schemas.all()}}},
	}
}

// envelope is the schema of a whole frame.
func envelope(typ string, id bool, data, failure any) obj {
	props := obj{{"type", obj{{"const", typ}}}}
	required := []any{"type"}
	if id {
		props = append(props, field{"id", obj{{"type", "string"}, {"maxLength", 64},
			{"description", "chosen by the client; comes back in the answer"}}})
	}
	if data != nil {
		props = append(props, field{"data", data})
		required = append(required, "data")
	}
	if failure != nil {
		props = append(props, field{"error", failure})
		required = append(required, "error")
	}
	return obj{{"type", "object"}, {"required", required}, {"properties", props}}
}

// schemaSet collects the schemas of types by name.
type schemaSet struct {
	known  map[string]obj
	closed map[string]bool // what the server refuses unknown fields in
}

func (s *schemaSet) of(v any) any {
	if v == nil {
		return nil
	}
	return s.ref(reflect.TypeOf(v))
}

func (s *schemaSet) ref(t reflect.Type) obj {
	name := t.Name()
	if _, ok := s.known[name]; !ok {
		s.known[name] = nil // types may name themselves
		var props obj
		var required []any
		s.fields(t, &props, &required)
		o := obj{{"type", "object"}}
		if s.closed[name] {
			o = append(o, field{"additionalProperties", false})
		}
		if len(required) > 0 {
			o = append(o, field{"required", required})
		}
		s.known[name] = append(o, field{"properties", props})
	}
	return reference("components/schemas/" + name)
}

func (s *schemaSet) all() (o obj) {
	var names []string
	for name := range s.known {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		o = append(o, field{name, s.known[name]})
	}
	return o
}

// fields adds the fields of a struct, those of embedded ones included.
func (s *schemaSet) fields(t reflect.Type, props *obj, required *[]any) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			s.fields(f.Type, props, required)
			continue
		}
		s.field(f, props, required)
	}
}

func (s *schemaSet) field(f reflect.StructField, props *obj, required *[]any) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	o := s.value(f.Type)
	if enum, ok := f.Tag.Lookup("enum"); ok {
		var values []any
		for v := range strings.SplitSeq(enum, ",") {
			values = append(values, v)
		}
		o = append(o, field{"enum", values})
	}
	for _, limit := range []string{"maxLength", "maxItems"} {
		if v, ok := f.Tag.Lookup(limit); ok {
			n, _ := strconv.Atoi(v)
			o = append(o, field{limit, n})
		}
	}
	if doc := f.Tag.Get("doc"); doc != "" {
		o = append(o, field{"description", doc})
	}
	*props = append(*props, field{name, o})
	if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
		*required = append(*required, name)
	}
}

func (s *schemaSet) value(t reflect.Type) obj {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return obj{{"type", "string"}, {"format", "date-time"}}
	case t == reflect.TypeFor[json.RawMessage]():
		return obj{}
	case t == reflect.TypeFor[[]byte]():
		return obj{{"type", "string"}, {"contentEncoding", "base64"}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.value(t.Elem())
	case reflect.String:
		return obj{{"type", "string"}}
	case reflect.Bool:
		return obj{{"type", "boolean"}}
	case reflect.Int, reflect.Int64, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return obj{{"type", "integer"}}
	case reflect.Float64:
		return obj{{"type", "number"}}
	case reflect.Slice:
		return obj{{"type", "array"}, {"items", s.value(t.Elem())}}
	case reflect.Map:
		return obj{{"type", "object"}, {"additionalProperties", s.value(t.Elem())}}
	case reflect.Interface: // any value
		return obj{}
	case reflect.Struct:
		return s.ref(t)
	}
	panic(fmt.Sprintf("a schema for %v is not known", t))
}

// writeYAML writes v as YAML. Every string is quoted as JSON does it, which is
// YAML as well.
func writeYAML(b *bytes.Buffer, v any, depth int) {
	pad := strings.Repeat("  ", depth)
	switch v := v.(type) {
	case obj:
		for _, f := range v {
			b.WriteString(pad + f.key + ":")
			writeUnder(b, f.value, depth)
		}
	case []any:
		for _, item := range v {
			if o, ok := item.(obj); ok {
				var inner bytes.Buffer
				writeYAML(&inner, o, depth+1)
				b.WriteString(pad + "- " + strings.TrimLeft(inner.String(), " "))
				continue
			}
			b.WriteString(pad + "-")
			writeUnder(b, item, depth)
		}
	}
}

func writeUnder(b *bytes.Buffer, v any, depth int) {
	switch v := v.(type) {
	case obj, []any:
		if reflect.ValueOf(v).Len() == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteString("\n")
		writeYAML(b, v, depth+1)
	case string:
		b.WriteString(" " + strconv.Quote(v) + "\n")
	default:
		fmt.Fprintf(b, " %v\n", v)
	}
}
