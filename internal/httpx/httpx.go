// Package httpx is the HTTP layer that all modules share. It decodes and validates requests,
// authenticates callers, and is the only place where errors become HTTP statuses and problem
// documents (RFC 9457). It decides nothing about accounts or rooms.
package httpx

import (
	"context"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/unhidra/unhidra/internal/domain"
)

// Prefix is the path of the REST API. Register adds it to paths that do not start with it.
const Prefix = "/api/v1"

// Limits of request bodies, in bytes.
const (
	maxBody     = 64 << 10
	maxAuthBody = 16 << 10 // more than any credentials need
)

// Bearer is the Security of operations that need a signed-in caller.
var Bearer = []map[string][]string{{"bearer": {}}}

const limited = "limited"

// ForLimited is the Metadata of operations that are open to callers who must add a second factor
// before anything else.
func ForLimited() map[string]any { return map[string]any{limited: true} }

const bots = "bots"

// ForBots is the Metadata of operations that bots call with their tokens, and nobody else. Of others they call those
// that Programs takes them for.
func ForBots() map[string]any { return map[string]any{bots: true} }

// Authenticator verifies access tokens.
type Authenticator interface {
	Authenticate(ctx context.Context, bearer string) (domain.Principal, error)
}

// Programs verifies the tokens of bots, and says what they may call.
type Programs interface {
	Authenticator
	// Takes reports whether an operation of people takes bearer, the token of a bot.
	Takes(operation, bearer string) bool
	// Admit returns an error unless p may call such an operation, which is about room.
	Admit(ctx context.Context, p domain.Principal, operation, room string) error
}

// Options are the options of the API.
type Options struct {
	Name    string        // the title of the OpenAPI document; empty: Unhidra
	Version string        // of the server
	Auth    Authenticator // nil: operations with Bearer always return 401
	Bots    Programs      // of operations with ForBots, and of those that it takes; nil: these always return 401
	Limits  Limits        // rate limits of operations; nil: none
	// May returns an error if a caller may not call an operation, whatever it is about; nil: everybody may.
	May func(p domain.Principal, operation string) error
	Log *slog.Logger // causes of errors that clients do not see; nil: none
}

// New returns an API on mux. It also serves the OpenAPI document at /openapi.json, documentation at
// /docs, and a page for each kind of problem.
func New(mux *http.ServeMux, o Options) huma.API {
	if o.Name == "" {
		o.Name = "Unhidra"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &adapter{mux: mux, name: o.Name, version: o.Version, log: o.Log}
	api := huma.NewAPI(huma.Config{OpenAPI: &huma.OpenAPI{}}, a)
	api.UseMiddleware(checkContentType, authenticate(o.Auth, o.Bots, o.May), limit(o.Limits), receive)
	mux.HandleFunc("GET /openapi.json", a.serveDescription())
	mux.HandleFunc("GET /docs", a.docs())
	mux.HandleFunc("GET /docs/style.css", serveStyle)
	mux.HandleFunc("GET /problems/{kind}", serveProblemPage)
	return api
}

// An adapter implements huma.Adapter on the mux.
type adapter struct {
	mux           *http.ServeMux
	name, version string // of the API
	log           *slog.Logger
	operations    []operation
}

func (a *adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	a.mux.Handle(op.Method+" "+op.Path, &route{op, handler, a.log})
}

// A route serves one operation.
type route struct {
	*huma.Operation
	handler func(huma.Context)
	log     *slog.Logger
}

func (o *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if from(r.Context()) == nil { // served without Handler, as in some tests
		m := &request{log: o.log, addr: peer(r), agent: agent(r), header: r.Header, gate: newAdmission(0, 0)}
		r = r.WithContext(with(r.Context(), m))
	}
	h := w.Header()
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	o.handler(humago.NewContext(o.Operation, r, w))
}

func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// checkContentType refuses media types that the operation does not accept. That also prevents forms
// of other sites from posting here.
func checkContentType(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		next(ctx)
		return
	}
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	takes := "application/json"
	if body := ctx.Operation().RequestBody; body != nil {
		var types []string
		for t := range body.Content {
			whole, wild := strings.CutSuffix(t, "*")
			if t == got || t == "application/octet-stream" || wild && strings.HasPrefix(got, whole) {
				next(ctx)
				return
			}
			types = append(types, t)
		}
		slices.Sort(types)
		takes = strings.Join(types, ", ")
	} else if got == takes {
		next(ctx)
		return
	}
	_ = err // an invalid media type matches nothing
	p := problem(http.StatusUnsupportedMediaType, domain.Invalid.Errorf(domain.CodeUnsupportedMediaType,
		"send the body as %s", takes))
	p.write(w, r)
}

// authenticate authenticates the caller of operations that need one.
func authenticate(
	people Authenticator, programs Programs, may func(domain.Principal, string) error,
) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if len(ctx.Operation().Security) == 0 {
			next(ctx)
			return
		}
		r, w := humago.Unwrap(ctx)
		token, ok := bearer(r)
		auth, operation := people, ctx.Operation().OperationID
		only := ctx.Operation().Metadata[bots] != nil
		also := !only && programs != nil && programs.Takes(operation, token)
		if only || also {
			auth = Authenticator(programs)
		}
		if !ok || auth == nil {
			Fail(w, r, domain.Unauthorized.Errorf(domain.CodeNoCredentials,
				"sign in first, and send the access token as \"Authorization: Bearer …\""))
			return
		}
		p, err := auth.Authenticate(r.Context(), token)
		if err != nil {
			Fail(w, r, err)
			return
		}
		if p.Limited && ctx.Operation().Metadata[limited] == nil {
			Fail(w, r, domain.Forbidden.Errorf(domain.CodeSecondFactorRequired,
				"this server asks you for a second factor; add one first"))
			return
		}
		if may != nil {
			if err := may(p, operation); err != nil {
				Fail(w, r, err)
				return
			}
		}
		if also {
			if err := programs.Admit(r.Context(), p, operation, r.PathValue("room")); err != nil {
				Fail(w, r, err)
				return
			}
		}
		m := from(r.Context())
		m.principal, m.known = p, true
		next(ctx)
	}
}

func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer") && token != ""
}
