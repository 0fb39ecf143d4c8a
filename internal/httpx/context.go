package httpx

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/trace"
)

// A request is what this package knows about a request.
type request struct {
	id        string
	addr      netip.Addr
	agent     string
	header    http.Header
	log       *slog.Logger
	gate      *admission // of the listener
	principal domain.Principal
	known     bool // principal is set
	span      *trace.Request
}

// named are the names of the request in the log: its own and that of its trace, if it has one.
func (m *request) named(ctx context.Context) slog.Attr {
	if id := trace.ID(ctx); id != "" {
		return slog.GroupAttrs("", slog.String("request", m.id), slog.String("trace", id))
	}
	return slog.String("request", m.id)
}

type requestKey struct{}

func with(ctx context.Context, m *request) context.Context {
	return context.WithValue(ctx, requestKey{}, m)
}

func from(ctx context.Context) *request {
	m, _ := ctx.Value(requestKey{}).(*request)
	return m
}

// Principal returns the caller. It panics in an operation that is not registered with Bearer, which
// is a programming error.
func Principal(ctx context.Context) domain.Principal {
	m := from(ctx)
	if m == nil || !m.known {
		panic("httpx: Principal in an operation without Bearer")
	}
	return m.principal
}

// ClientAddr returns the client's address: the peer's, or the one that trusted proxies report. It
// is invalid outside of a request.
func ClientAddr(ctx context.Context) netip.Addr {
	if m := from(ctx); m != nil {
		return m.addr
	}
	return netip.Addr{}
}

// UserAgent returns the User-Agent of the request, cut to 200 bytes.
func UserAgent(ctx context.Context) string {
	if m := from(ctx); m != nil {
		return m.agent
	}
	return ""
}

// Cookies returns the cookies of the request, by name.
func Cookies(ctx context.Context) map[string]string {
	cookies := make(map[string]string)
	if m := from(ctx); m != nil {
		r := http.Request{Header: m.header}
		for _, c := range r.Cookies() {
			cookies[c.Name] = c.Value
		}
	}
	return cookies
}

// WithRequestID returns a context for work that is not an HTTP request, for example a request on a
// WebSocket. Only RequestID returns something for it.
func WithRequestID(ctx context.Context, id string) context.Context {
	return with(ctx, &request{id: id})
}

// RequestID returns the id of the request in logs and problem documents.
func RequestID(ctx context.Context) string {
	if m := from(ctx); m != nil {
		return m.id
	}
	return ""
}

const maxAgent = 200

func agent(r *http.Request) string {
	a := r.UserAgent()
	return strings.Clone(strings.ToValidUTF8(a[:min(len(a), maxAgent)], ""))
}
