package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/trace"
)

// statuses maps kinds of errors to HTTP statuses. There is no other such table.
func statuses() map[domain.Kind]int {
	return map[domain.Kind]int{
		domain.Invalid:      http.StatusBadRequest,
		domain.Unauthorized: http.StatusUnauthorized,
		domain.Forbidden:    http.StatusForbidden,
		domain.NotFound:     http.StatusNotFound,
		domain.Conflict:     http.StatusConflict,
		domain.TooLarge:     http.StatusRequestEntityTooLarge,
		domain.RateLimited:  http.StatusTooManyRequests,
		domain.Unavailable:  http.StatusServiceUnavailable,
		domain.Internal:     http.StatusInternalServerError,
	}
}

// Status returns the HTTP status for an error of kind k.
func Status(k domain.Kind) int {
	if s, ok := statuses()[k]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Problem is the body of every error response (RFC 9457).
type Problem struct {
	Type       string            `json:"type" doc:"A page that explains this kind of problem." example:"/problems/not_found"`
	Title      string            `json:"title" doc:"The HTTP status in words."`
	Status     int               `json:"status" doc:"The HTTP status."`
	Kind       string            `json:"kind" doc:"What sort of failure it is; kinds are never renamed." example:"not_found"`
	Code       domain.Code       `json:"code,omitempty" doc:"Narrower than the kind, and as stable; docs/errors.md lists all." example:"no_room"`
	Detail     string            `json:"detail,omitempty" doc:"What is wrong and what to do, for a person."`
	Instance   string            `json:"instance,omitempty" doc:"The id of the request, by which the server's log knows it."`
	Trace      string            `json:"trace,omitempty" doc:"The id of the request's trace, if the server traces."`
	Values     map[string]string `json:"values,omitempty" doc:"What the detail says of this case, by name."`
	RetryAfter float64           `json:"retry_after,omitempty" doc:"Seconds to wait before trying again."`
	Errors     []domain.Field    `json:"errors,omitempty" doc:"Each bad value: by JSON pointer into the body, or ?name for a query parameter, {name} for one of the path."`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of problem documents.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders returns the headers that belong to the problem.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter))))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="unhidra"`)
	}
	return h
}

// Fail responds to r with the problem document for err. The cause of an internal error is logged
// and never sent.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	ProblemOf(r.Context(), err).write(w, r)
}

func (p *Problem) write(w http.ResponseWriter, r *http.Request) {
	if p.Instance == "" {
		p.Instance = RequestID(r.Context())
	}
	p.Trace = trace.ID(r.Context())
	h := w.Header()
	for k, vs := range p.GetHeaders() {
		h[k] = vs
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	body, _ := json.Marshal(p)                         // strings and numbers
	h.Set("Content-Length", strconv.Itoa(len(body)+1)) // so that the answer is whole before linger is over
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(body, '\n')) // if it fails, the client has gone
	}
}

// problem returns the document for e with the given status.
func problem(status int, e *domain.Error) *Problem {
	return &Problem{
		Type: "/problems/" + string(e.Kind), Title: http.StatusText(status), Status: status,
		Kind: string(e.Kind), Code: e.Code, Detail: e.Msg, RetryAfter: e.RetryAfter.Seconds(), Errors: e.Fields,
		Values: e.Values,
	}
}

// ProblemOf returns the document for err, and logs the cause that it omits.
func ProblemOf(ctx context.Context, err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	m := from(ctx)
	var e *domain.Error
	switch {
	case errors.As(err, &e) && e.Kind != domain.Internal:
		if e.Err != nil && m != nil {
			m.log.LogAttrs(ctx, slog.LevelInfo, "request refused",
				slog.String("kind", string(e.Kind)), slog.Any("err", err))
		}
	case errors.Is(err, context.Canceled):
		e = domain.Unavailable.Errorf(domain.CodeCancelled, "the request was given up before it was done")
	case errors.Is(err, context.DeadlineExceeded):
		e = domain.Unavailable.Errorf(domain.CodeTimeout, "this took too long; try again")
	default:
		if m != nil {
			m.log.LogAttrs(ctx, slog.LevelError, "request failed", slog.Any("err", err))
		}
		e = domain.Internal.Errorf("", "something went wrong on the server; its log has the request's id")
	}
	p = problem(Status(e.Kind), e)
	p.Instance, p.Trace = RequestID(ctx), trace.ID(ctx)
	return p
}

// worded returns what huma says of a value, in words of the API instead of in those of Go.
func worded(message string) string {
	switch {
	case strings.HasPrefix(message, "invalid date/time"), strings.Contains(message, "parsing time"),
		strings.Contains(message, "Time.UnmarshalJSON"):
		return "write a time as 2026-01-01T00:00:00Z"
	case strings.Contains(message, "cannot unmarshal number"):
		return "a number is too large, or not a whole one"
	case strings.Contains(message, "cannot unmarshal"):
		return "a value is of another kind than the description of the API says"
	case message == validation.MsgUnexpectedProperty:
		return "there is no field of this name; upper and lower case count"
	}
	return message
}

func summary(fields []domain.Field) string {
	f := fields[0]
	msg := f.Detail
	if f.Pointer != "" {
		msg = f.Pointer + ": " + msg
	}
	if len(fields) > 1 {
		msg += "; and " + strconv.Itoa(len(fields)-1) + " more"
	}
	return msg
}

// pointer turns huma's "body.items[3].name" into the JSON pointer "/items/3/name", "query.limit"
// into "?limit", and "path.room" into "{room}".
func pointer(location string) string {
	where, rest, _ := strings.Cut(location, ".")
	switch where {
	case "query":
		return "?" + rest
	case "path":
		return "{" + rest + "}"
	case "body":
		if rest == "" {
			return ""
		}
		rest = strings.NewReplacer("[", "/", "]", "", ".", "/").Replace(rest)
		return "/" + rest
	}
	if index, ok := strings.CutPrefix(where, "body["); ok {
		return "/" + strings.NewReplacer("[", "/", "]", "", ".", "/").Replace(index+"."+rest)
	}
	return location
}
