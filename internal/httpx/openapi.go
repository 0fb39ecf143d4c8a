package httpx

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

const apiDescription = "Rooms that never lose a message. Times are RFC 3339; ids say what they name (room_..., " +
	"usr_...); " +
	"keys of bodies are written as here, and come once; lists are pages with an opaque cursor; " +
	"errors are problem documents (RFC 9457) with a stable kind and code."

// An operation is what the OpenAPI document says of one.
type operation struct {
	*huma.Operation
	in  *input
	out *output
}

func newRegistry() huma.Registry {
	return huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
}

// describe returns the OpenAPI document. It is made anew at each call, when all operations are registered, so that a
// server of whom nobody asks it does not hold it.
func (a *adapter) describe() *huma.OpenAPI {
	registry := newRegistry()
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: a.name, Version: a.version, Description: apiDescription},
		Components: &huma.Components{
			Schemas:   registry,
			Responses: describeProblems(registry),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "An access token, from signing in."},
			},
		},
	}
	for _, o := range a.operations {
		op := clone(o.Operation)
		document(op)
		o.in.describe(registry, op)
		o.out.describe(registry, op)
		doc.AddOperation(op)
	}
	return doc
}

// clone returns a copy of op that can be described while requests are served by op.
func clone(op *huma.Operation) *huma.Operation {
	c := *op
	c.Parameters = slices.Clone(op.Parameters)
	c.Responses = maps.Clone(op.Responses)
	for status, res := range c.Responses {
		res := *res
		res.Content, res.Headers = contentOf(res.Content), maps.Clone(res.Headers)
		c.Responses[status] = &res
	}
	if op.RequestBody != nil {
		body := *op.RequestBody
		body.Content = contentOf(body.Content)
		c.RequestBody = &body
	}
	return &c
}

func contentOf(media map[string]*huma.MediaType) map[string]*huma.MediaType {
	media = maps.Clone(media)
	for kind, m := range media {
		m := *m
		media[kind] = &m
	}
	return media
}

// serveDescription serves the OpenAPI document. It is encoded once, at the first request.
func (a *adapter) serveDescription() http.HandlerFunc {
	document := sync.OnceValues(func() ([]byte, error) { return json.Marshal(a.describe()) })
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := document()
		if err != nil {
			Fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(body) // an error means that the client disconnected
	}
}

// problems is the name of the response in the OpenAPI document that all errors share.
const problems = "Problem"

func describeProblems(registry huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{problems: {
		Description: "A problem document (RFC 9457); its kind and code say what to do.",
		Content: map[string]*huma.MediaType{"application/problem+json": {Schema: registry.Schema(
			reflect.TypeFor[Problem](), true, problems)}},
	}}
}

// document adds to op every error status it may return: those that follow from its properties, and
// those in op.Errors. Clients may rely on there being no others; make fuzz-api checks that.
func document(op *huma.Operation) {
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	for _, status := range append(refusals(op), op.Errors...) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + problems}
	}
	op.Errors = nil
}

func refusals(op *huma.Operation) []int {
	all := []int{http.StatusBadRequest, http.StatusInternalServerError, http.StatusServiceUnavailable}
	if len(op.Security) > 0 {
		all = append(all, http.StatusUnauthorized, http.StatusForbidden)
	}
	// what the path or body refers to may not exist
	if strings.Contains(op.Path, "{") || op.Method != http.MethodGet && len(op.Security) > 0 {
		all = append(all, http.StatusNotFound)
	}
	if op.Method != http.MethodGet {
		all = append(all, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests)
		if len(op.Security) == 0 { // it takes other credentials than an access token
			all = append(all, http.StatusUnauthorized)
		}
	}
	if slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, op.Method) {
		all = append(all, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	return all
}
