package httpx

import (
	"bytes"
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
)

// Register adds an operation to api. I is a struct of the parameters of the path and the query, by tags of these
// names, and of Body, which is JSON, or RawBody; O is one of headers and of Body. The tags of huma describe them, and
// what they say of a request is checked before h has it. Register panics on what it does not know.
//
// Errors of h become problem documents: a domain.Error as it is, any other error as internal, whose cause is only
// logged. In operations with Bearer, Principal returns the caller. Of op, huma's Middlewares, Hidden and Skip... have
// no effect.
//
// It is compiled for each operation, and huma.Register, which is 20 kB, would be too: so it only hides the types.
func Register[I, O any](api huma.API, op huma.Operation, h func(context.Context, *I) (*O, error)) {
	register(api, &op, reflect.TypeFor[I](), reflect.TypeFor[O](), func(ctx context.Context, in any) (any, error) {
		return h(ctx, in.(*I))
	})
}

// A run calls the handler of an operation. in and out are pointers to its structs; out may be a nil one.
type run func(ctx context.Context, in any) (out any, err error)

func register(api huma.API, op *huma.Operation, in, out reflect.Type, do run) {
	if !strings.HasPrefix(op.Path, "/api/") {
		op.Path = Prefix + op.Path
	}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody
		if strings.HasPrefix(op.Path, Prefix+"/auth/") {
			op.MaxBodyBytes = maxAuthBody
		}
	}
	e := &endpoint{in: inputOf(op, in), out: outputOf(op, out), do: do}
	a := api.Adapter().(*adapter)
	a.operations = append(a.operations, operation{op, e.in, e.out})
	a.Handle(op, api.Middlewares().Handler(e.serve))
}

// An endpoint serves requests of one operation.
type endpoint struct {
	in  *input
	out *output
	do  run
}

func (e *endpoint) serve(ctx huma.Context) {
	in := reflect.New(e.in.kind)
	if err := e.in.read(ctx, in.Elem()); err != nil {
		refuse(ctx, err)
		return
	}
	if resolver, ok := in.Interface().(huma.Resolver); ok {
		if errs := resolver.Resolve(ctx); len(errs) > 0 {
			refuse(ctx, invalid("", errs))
			return
		}
	}
	out, err := e.do(ctx.Context(), in.Interface())
	if err != nil {
		refuse(ctx, err)
		return
	}
	e.out.write(ctx, reflect.ValueOf(out))
}

// refuse answers with the problem document of err.
func refuse(ctx huma.Context, err error) {
	p := ProblemOf(ctx.Context(), err)
	for name, values := range p.GetHeaders() {
		for _, v := range values {
			ctx.AppendHeader(name, v)
		}
	}
	writeJSON(ctx, p.Status, p.ContentType(""), p)
}

// invalid is the problem of a request with these bad values. detail counts if there are none.
func invalid(detail string, bad []error) *domain.Error {
	e := domain.Invalid.Errorf(domain.CodeInvalidRequest, "%s", detail)
	for _, err := range bad {
		f := domain.Field{Detail: worded(err.Error())}
		if d, ok := err.(huma.ErrorDetailer); ok { // values are not repeated, because they may be passwords
			f = domain.Field{Pointer: pointer(d.ErrorDetail().Location), Detail: worded(d.ErrorDetail().Message)}
		}
		e.Fields = append(e.Fields, f)
	}
	if len(e.Fields) > 0 {
		e.Msg = summary(e.Fields)
	}
	return e
}

// writeJSON answers with v. It panics if v is no JSON, before anything is sent.
func writeJSON(ctx huma.Context, status int, kind string, v any) {
	var b bytes.Buffer
	if err := huma.DefaultJSONFormat.Marshal(&b, v); err != nil {
		panic(err)
	}
	ctx.SetHeader("Content-Type", kind)
	if status != http.StatusNoContent && status != http.StatusNotModified {
		ctx.SetHeader("Content-Length", strconv.Itoa(b.Len())) // it is whole, although a body may still come
	}
	ctx.SetStatus(status)
	if status != http.StatusNoContent && status != http.StatusNotModified {
		_, _ = ctx.BodyWriter().Write(b.Bytes()) // an error means that the client disconnected
	}
}
