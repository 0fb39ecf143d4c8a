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
	known     bool    // principal is set
	conn      string  // the work is on it
	user      string  // whose it is
	body      []byte  // that came, until takeBody
	coming    *coming // the body while it is read; nil: there is none
	span      *trace.Request
}

// LogAttrs returns what the log lines of ctx's work are named by, as far as it has them: the ids
// of the request, of its trace, of its connection and of its user.
func LogAttrs(ctx context.Context) []slog.Attr {
	attrs := make([]slog.Attr, 0, 4)
	add := func(key, id string) {
		if id != "" {
			attrs = append(attrs, slog.String(key, id))
		}
	}
	if m := from(ctx); m != nil {
		add("request", m.id)
		add("conn", m.conn)
		if m.known {
			add("user", m.principal.ID)
		} else {
			add("user", m.user)
		}
	}
	add("trace", trace.ID(ctx))
	return attrs
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

// HasToken reports whether the request has an access token, also in operations that check none.
func HasToken(ctx context.Context) bool {
	m := from(ctx)
	if m == nil {
		return false
	}
	_, ok := bearer(&http.Request{Header: m.header})
	return ok
}

// WithConn returns a context for work on a connection of a user, which names both in the log. An
// id is that of a request on it; without one the work is part of ctx's request, if that has one.
func WithConn(ctx context.Context, conn, user, id string) context.Context {
	m := &request{}
	if whole := from(ctx); whole != nil {
		*m = *whole
	}
	m.conn, m.user = conn, user
	if id != "" {
		m.id = id
	}
	return with(ctx, m)
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
