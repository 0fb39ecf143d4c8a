package httpx

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// An output answers with the struct of an operation's answers.
type output struct {
	kind    reflect.Type
	hint    string // a name for the body's schema, if its type has none
	status  int
	headers []headerField
	body    []int // nil: none
	own     []int // the field of the status, of answers that have several; nil: none
}

type headerField struct {
	index []int
	name  string
}

// outputOf returns the output of structs of kind t. Each field but Body and the int Status is a header: a text, which
// is left out if it is empty, or a list of what can be written as text.
func outputOf(op *huma.Operation, t reflect.Type) *output {
	o := &output{kind: t, hint: named(t, "Body", op.OperationID+"Response"), status: op.DefaultStatus}
	body, ok := t.FieldByName("Body")
	if ok {
		o.body = body.Index
		if body.Type.Kind() == reflect.Func && body.Type != reflect.TypeFor[func(huma.Context)]() {
			panic("httpx: a body cannot be a " + body.Type.String())
		}
	}
	if o.status == 0 {
		o.status = http.StatusNoContent
		if ok {
			o.status = http.StatusOK
		}
	}
	eachField(t, nil, func(f reflect.StructField) {
		switch {
		case f.Name == "Body":
		case f.Name == "Status" && f.Type.Kind() == reflect.Int:
			o.own = f.Index
		default:
			o.headers = append(o.headers, headerOf(f))
		}
	})
	return o
}

func headerOf(f reflect.StructField) headerField {
	h := headerField{index: f.Index, name: f.Tag.Get("header")}
	texts := f.Type.Kind() == reflect.Slice && reflect.PointerTo(f.Type.Elem()).Implements(reflect.TypeFor[fmt.Stringer]())
	if h.name == "" || f.Type.Kind() != reflect.String && !texts {
		panic("httpx: " + f.Name + " is not a header of a known type")
	}
	return h
}

// describe describes the output in op.
func (o *output) describe(registry huma.Registry, op *huma.Operation) {
	op.DefaultStatus = o.status
	key := strconv.Itoa(o.status)
	if op.Responses[key] == nil {
		op.Responses[key] = &huma.Response{}
	}
	res := op.Responses[key]
	if res.Description == "" {
		res.Description = http.StatusText(o.status)
	}
	if o.body != nil {
		describeBody(registry, res, o.kind.FieldByIndex(o.body), o.hint)
	}
	for _, h := range o.headers {
		f := o.kind.FieldByIndex(h.index)
		f.Type = reflect.TypeFor[string]()
		if res.Headers == nil {
			res.Headers = map[string]*huma.Param{}
		}
		res.Headers[h.name] = &huma.Header{Schema: huma.SchemaFromField(registry, f, "")}
	}
}

// describeBody documents what a body holds, unless it is a func, which writes what it likes.
func describeBody(registry huma.Registry, res *huma.Response, f reflect.StructField, name string) {
	if f.Type.Kind() == reflect.Func {
		return
	}
	schema := huma.SchemaFromField(registry, f, name)
	if res.Content == nil {
		res.Content = map[string]*huma.MediaType{"application/json": {}}
	}
	if media := res.Content["application/json"]; media != nil && media.Schema == nil {
		media.Schema = schema
	}
}

// write answers with out, a pointer to one of the structs. It has no body if that is nil.
func (o *output) write(ctx huma.Context, out reflect.Value) {
	if out.IsNil() {
		ctx.SetStatus(o.status)
		return
	}
	out = out.Elem()
	kind, status := o.writeHeaders(ctx, out), o.status
	if o.own != nil {
		status = int(out.FieldByIndex(o.own).Int())
	}
	if o.body == nil {
		ctx.SetStatus(status)
		return
	}
	switch body := out.FieldByIndex(o.body).Interface().(type) {
	case func(huma.Context):
		body(ctx)
	case []byte:
		ctx.SetStatus(status)
		_, _ = ctx.BodyWriter().Write(body) // an error means that the client disconnected
	default:
		writeJSON(ctx, status, kind, body)
	}
}

// writeHeaders returns the media type of the body.
func (o *output) writeHeaders(ctx huma.Context, out reflect.Value) string {
	kind := "application/json"
	for _, h := range o.headers {
		f := out.FieldByIndex(h.index)
		if f.Kind() == reflect.Slice {
			for i := range f.Len() {
				ctx.AppendHeader(h.name, f.Index(i).Addr().Interface().(fmt.Stringer).String())
			}
			continue
		}
		if f.String() == "" {
			continue
		}
		ctx.SetHeader(h.name, f.String())
		if h.name == "Content-Type" {
			kind = f.String()
		}
	}
	return kind
}
