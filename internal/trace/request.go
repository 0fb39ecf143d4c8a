package trace

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/codes"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	// Slow is how long a request takes, at least, that is exported whatever the share is.
	Slow = time.Second

	maxSlowParts = 16 // of a request that was not chosen
)

// A Request is the work of this node on one request. A nil one is not traced.
type Request struct {
	t      *Tracer
	id     oteltrace.TraceID
	ctx    context.Context       // with this request
	parent oteltrace.SpanContext // of the caller
	kind   string
	name   string
	start  time.Time
	span   oteltrace.Span // nil: not chosen

	mu    sync.Mutex
	parts []part // slow ones of a request that was not chosen, in case it fails or is slow itself
}

type requestKey struct{}

// Request begins a request. The name of its span is kind and name. parent is the traceparent of
// the caller (W3C Trace Context); without one, or with a wrong one, a new trace begins. Call End.
func (t *Tracer) Request(ctx context.Context, kind, name, parent string) (context.Context, *Request) {
	if t == nil {
		return ctx, nil
	}
	r := &Request{t: t, parent: parse(parent), kind: kind, name: name, start: time.Now()}
	if r.id = r.parent.TraceID(); !r.parent.IsValid() {
		r.id = newTraceID()
	}
	r.ctx = context.WithValue(ctx, requestKey{}, r)
	if r.parent.IsSampled() && t.allow(r.start) || rand.Float64() < t.share {
		return r.open(), r
	}
	return r.ctx, r
}

func (t *Tracer) allow(now time.Time) bool {
	ok, _ := t.asked.Allow("callers", now)
	return ok
}

// open begins the span of the request, as of when the request began.
func (r *Request) open() (ctx context.Context) {
	ctx = oteltrace.ContextWithRemoteSpanContext(r.ctx, r.parent)
	ctx, r.span = r.t.tracer.Start(ctx, r.kind+" "+r.name, oteltrace.WithTimestamp(r.start),
		oteltrace.WithSpanKind(oteltrace.SpanKindServer))
	return ctx
}

// End ends the request, whose id in the log is id. failed says that the server is to blame; what
// its callers do wrong is no failure. It returns the id of the trace, if the request is exported.
func (r *Request) End(id string, failed bool) (traceID string) {
	if r == nil || !r.chosen(failed) {
		return ""
	}
	return r.end(id, failed)
}

// EndHTTP is End for a request over HTTP. Its span is called by the method and the route.
func (r *Request) EndHTTP(id, method, route string, status int) (traceID string) {
	failed := status >= http.StatusInternalServerError
	if r == nil || !r.chosen(failed) {
		return ""
	}
	r.span.SetName(method + " " + route)
	r.span.SetAttributes(String("http.request.method", method), String("http.route", route),
		Int("http.response.status_code", status))
	return r.end(id, failed)
}

// chosen reports whether the request is exported, and opens its span if that is decided now.
func (r *Request) chosen(failed bool) bool {
	if r.span != nil {
		return true
	}
	if !failed && time.Since(r.start) < Slow {
		return false
	}
	r.exportParts(r.open())
	return true
}

func (r *Request) end(id string, failed bool) string {
	r.span.SetAttributes(String("unhidra.request", id))
	if failed {
		r.span.SetStatus(codes.Error, "")
	}
	r.span.End()
	return r.id.String()
}

func (r *Request) exportParts(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.parts {
		p.export(ctx, r.t.tracer)
	}
}

// Failed reports whether the server is to blame for err.
func Failed(err error) bool {
	kind := domain.KindOf(err)
	return err != nil && (kind == domain.Internal || kind == domain.Unavailable)
}

// ID returns the id of the trace of the request that ctx is about, in hexadecimal, for the log;
// empty: none. Requests that were not chosen have one too: the caller's, or one that is exported
// if they fail.
func ID(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		return r.id.String()
	}
	return ""
}

// A part is a slow part of a request: it has begun and ended.
type part struct {
	name       string
	start, end time.Time
	attrs      []Attr
}

func (p part) export(ctx context.Context, t oteltrace.Tracer) {
	_, span := t.Start(ctx, p.name, oteltrace.WithTimestamp(p.start), oteltrace.WithAttributes(p.attrs...),
		oteltrace.WithSpanKind(oteltrace.SpanKindClient))
	span.End(oteltrace.WithTimestamp(p.end))
}

// Timed reports whether SlowPart wants to hear of the parts of what ctx is about.
func Timed(ctx context.Context) bool {
	return ctx.Value(requestKey{}) != nil || oteltrace.SpanContextFromContext(ctx).IsSampled()
}

// SlowPart reports a part of the work on what ctx is about that was slow, began at start and has
// just ended. It is exported with the trace; also with that of a request which was not chosen, if
// the request fails or is slow.
func SlowPart(ctx context.Context, name string, start time.Time, attrs ...Attr) {
	p := part{name, start, time.Now(), attrs}
	if parent := oteltrace.SpanFromContext(ctx); parent.SpanContext().IsSampled() {
		p.export(ctx, tracerOf(parent))
		return
	}
	r, ok := ctx.Value(requestKey{}).(*Request)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.parts) < maxSlowParts {
		r.parts = append(r.parts, p)
	}
}
