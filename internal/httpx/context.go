package httpx

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// A request is what the edge found out about one request.
type request struct {
	id        string
	addr      netip.Addr
	agent     string
	header    http.Header
	log       *slog.Logger
	gate      *admission // of the listener
	principal domain.Principal
	known     bool // principal is set
}

type requestKey struct{}

func with(ctx context.Context, m *request) context.Context {
	return context.WithValue(ctx, requestKey{}, m)
}

func from(ctx context.Context) *request {
	m, _ := ctx.Value(requestKey{}).(*request)
	return m
}

// Principal returns who is asking. It panics in an operation that was not
// declared with Bearer: that is a mistake of the program, never of a caller.
func Principal(ctx context.Context) domain.Principal {
	m := from(ctx)
	if m == nil || !m.known {
		panic("httpx: Principal in an operation without Bearer")
	}
	return m.principal
}

// ClientAddr returns the client's address as far as it can be trusted: the
// peer's, or what trusted proxies say. It is invalid outside of a request.
func ClientAddr(ctx context.Context) netip.Addr {
	if m := from(ctx); m != nil {
		return m.addr
	}
	return netip.Addr{}
}

// UserAgent returns what the client calls itself, cut to 200 bytes.
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

// WithRequestID returns a context for work that is no HTTP request, as a request of a
// WebSocket: id is its RequestID. Nothing else about it is known.
func WithRequestID(ctx context.Context, id string) context.Context {
	return with(ctx, &request{id: id})
}

// RequestID returns the name of the request in the log and in problem
// documents.
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
