package httpx

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/wire"
)

// An input fills the struct of an operation's requests.
type input struct {
	kind     reflect.Type
	params   []param
	raw      []int   // the field of the body as it came; nil: none
	body     []int   // the field of a body of JSON; nil: none
	hint     string  // a name for the schema of the body, if its type has none
	required bool    // the body
	presets  []param // of the body's fields
	schemas  func() *schemas
}

// A param is a parameter of the path or the query, or a field of the body with a preset value.
type param struct {
	index    []int
	in, name string
	preset   string
	required bool
}

// schemas are what an input checks requests by. They are made at the first request, because all of them together are
// some megabytes, and most servers use few of the operations.
type schemas struct {
	registry huma.Registry
	params   []*huma.Schema
	body     *huma.Schema // nil: none
}

// inputOf returns the input of structs of kind t. It adds the media types to op that the body may have.
func inputOf(op *huma.Operation, t reflect.Type) *input {
	n := &input{kind: t, hint: named(t, "Body", op.OperationID+"Request")}
	n.schemas = sync.OnceValue(func() *schemas { return n.schemasIn(newRegistry()) })
	eachField(t, nil, func(f reflect.StructField) {
		if p, ok := paramOf(f); ok {
			n.params = append(n.params, p)
		}
	})
	if f, ok := t.FieldByName("Body"); ok {
		n.body = f.Index
		mediaOf(op, "application/json")
		op.RequestBody.Required = f.Type.Kind() != reflect.Pointer && f.Type.Kind() != reflect.Interface
		n.presets = presetsOf(f)
	}
	if f, ok := t.FieldByName("RawBody"); ok {
		n.raw = f.Index
		mediaOf(op, f.Tag.Get("contentType"))
		op.RequestBody.Required = true
	}
	n.required = op.RequestBody != nil && op.RequestBody.Required
	return n
}

// presetsOf returns the fields with preset values of a body.
func presetsOf(body reflect.StructField) (presets []param) {
	if body.Type.Kind() != reflect.Struct {
		return nil
	}
	eachField(body.Type, body.Index, func(f reflect.StructField) {
		if preset := f.Tag.Get("default"); preset != "" {
			mustSet(f.Type)
			presets = append(presets, param{index: f.Index, preset: preset})
		}
	})
	return presets
}

func (n *input) schemasIn(registry huma.Registry) *schemas {
	s := &schemas{registry: registry}
	for _, p := range n.params {
		s.params = append(s.params, huma.SchemaFromField(registry, n.kind.FieldByIndex(p.index), ""))
	}
	if n.body != nil {
		s.body = huma.SchemaFromField(registry, n.kind.FieldByIndex(n.body), n.hint)
		s.body.PrecomputeMessages()
	}
	return s
}

// describe describes the input in op, which may be a copy of what inputOf had.
func (n *input) describe(registry huma.Registry, op *huma.Operation) {
	s := n.schemasIn(registry)
	for i, p := range n.params {
		doc := &huma.Param{Name: p.name, In: p.in, Required: p.required, Schema: s.params[i],
			Description: s.params[i].Description}
		if p.in == "query" {
			doc.Explode = new(bool) // lists are separated by commas
		}
		op.Parameters = append(op.Parameters, doc)
	}
	if n.body != nil {
		mediaOf(op, "application/json").Schema = s.body
	}
	if n.raw != nil {
		f, _ := n.kind.FieldByName("RawBody")
		mediaOf(op, f.Tag.Get("contentType")).Schema = &huma.Schema{Type: huma.TypeString, Format: "binary"}
	}
}

// mediaOf returns what op says of bodies of a kind.
func mediaOf(op *huma.Operation, kind string) *huma.MediaType {
	if op.RequestBody == nil {
		op.RequestBody = &huma.RequestBody{}
	}
	if op.RequestBody.Content == nil {
		op.RequestBody.Content = map[string]*huma.MediaType{}
	}
	if op.RequestBody.Content[kind] == nil {
		op.RequestBody.Content[kind] = &huma.MediaType{}
	}
	return op.RequestBody.Content[kind]
}

// named returns the name of the schema of a field of t, or other if t has none.
func named(t reflect.Type, field, other string) string {
	if t.Name() == "" {
		return other
	}
	return t.Name() + field
}

// eachField calls visit with the exported fields of t, those of structs that it embeds in their place. Their Index is
// of the struct where index begins.
func eachField(t reflect.Type, index []int, visit func(reflect.StructField)) {
	for i := range t.NumField() {
		f := t.Field(i)
		f.Index = append(slices.Clone(index), i)
		switch {
		case !f.IsExported():
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			eachField(f.Type, f.Index, visit)
		default:
			visit(f)
		}
	}
}

func paramOf(f reflect.StructField) (param, bool) {
	p := param{index: f.Index, preset: f.Tag.Get("default"), required: f.Tag.Get("required") == "true"}
	switch {
	case f.Tag.Get("path") != "":
		p.in, p.name, p.required = "path", f.Tag.Get("path"), true
	case f.Tag.Get("query") != "":
		p.in, p.name = "query", f.Tag.Get("query")
	case f.Tag.Get("header") != "" || f.Tag.Get("cookie") != "" || f.Tag.Get("form") != "":
		panic("httpx: " + f.Name + " is a parameter of neither the path nor the query")
	default:
		return param{}, false
	}
	mustSet(f.Type)
	return p, true
}

// read fills v, which is one of kind, from a request. Its errors are domain.Errors.
func (n *input) read(ctx huma.Context, v reflect.Value) error {
	path, bad, s := huma.NewPathBuffer(make([]byte, 0, 128), 0), &huma.ValidateResult{}, n.schemas()
	for i := range n.params {
		if value, ok := n.params[i].read(ctx, v, path, bad); ok {
			huma.Validate(s.registry, s.params[i], path, huma.ModeWriteToServer, value, bad)
		}
	}
	if n.body != nil || n.raw != nil {
		body := from(ctx.Context()).takeBody()
		if len(body) == 0 && n.required {
			return invalid("request body is required", bad.Errors)
		}
		if n.raw != nil {
			v.FieldByIndex(n.raw).SetBytes(body)
		}
		if n.body != nil && len(body) > 0 {
			n.readBody(body, v, path, bad)
		}
	}
	if len(bad.Errors) > 0 {
		return invalid("", bad.Errors)
	}
	return nil
}

// read fills the parameter's field of v, and returns what is to be checked, if there is something.
func (p *param) read(ctx huma.Context, v reflect.Value, path *huma.PathBuffer, bad *huma.ValidateResult) (any, bool) {
	text := ctx.Query(p.name)
	if p.in == "path" {
		text = ctx.Param(p.name)
	}
	if text == "" {
		text = p.preset
	}
	path.Reset()
	path.Push(p.in)
	path.Push(p.name)
	if text == "" {
		if p.required {
			bad.Add(path, "", "required "+p.in+" parameter is missing")
		}
		return nil, false
	}
	value, err := set(v.FieldByIndex(p.index), text)
	if err != nil {
		bad.Add(path, text, err.Error())
	}
	return value, err == nil
}

// readBody reads the body twice: into maps, which are checked, and into v. Keys have one spelling and come once, so
// that what fills v is what was checked.
func (n *input) readBody(body []byte, v reflect.Value, path *huma.PathBuffer, bad *huma.ValidateResult) {
	path.Reset()
	path.Push("body")
	before := len(bad.Errors)
	var parsed any
	if err := json.Unmarshal(body, &parsed); err != nil {
		bad.Add(path, "", wire.NoJSON(err, body).Error())
		return
	}
	if key, twice := keyTwice(body); twice {
		bad.Add(path, "", fmt.Sprintf("the key %.40q comes twice in one object: send it once", key))
		return
	}
	s := n.schemas()
	huma.Validate(s.registry, s.body, path, huma.ModeWriteToServer, parsed, bad)
	if len(bad.Errors) > before {
		return
	}
	if err := json.Unmarshal(body, v.FieldByIndex(n.body).Addr().Interface()); err != nil {
		path.Reset()
		path.Push("body")
		bad.Add(path, "", wire.NoJSON(err, body).Error())
		return
	}
	for _, p := range n.presets {
		if f := v.FieldByIndex(p.index); f.IsZero() {
			if _, err := set(f, p.preset); err != nil {
				panic(err)
			}
		}
	}
}

// mustSet panics if set knows nothing of t.
func mustSet(t reflect.Type) {
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Int64, reflect.Bool:
		return
	}
	if t != reflect.TypeFor[[]string]() && t != reflect.TypeFor[time.Time]() {
		panic("httpx: a parameter cannot be of type " + t.String())
	}
}

// set sets v to what text says, and returns it as schemas know it.
func set(v reflect.Value, text string) (any, error) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return text, nil
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, errors.New("invalid integer")
		}
		v.SetInt(n)
		return n, nil
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, errors.New("invalid boolean")
		}
		v.SetBool(b)
		return b, nil
	case reflect.Slice:
		list := strings.Split(text, ",")
		v.Set(reflect.ValueOf(list))
		return list, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil, errors.New("invalid date/time")
	}
	v.Set(reflect.ValueOf(at))
	return text, nil
}
