// Package trace follows requests through the server and its nodes, and exports what it saw
// as spans of OpenTelemetry, over OTLP. A nil *Tracer is tracing that is off: it costs
// nothing, and every method may be called on it.
//
// Whether a request is traced is decided when it begins. One that was not, and failed or was
// slow, is exported all the same, as one span without children. Spans have names, ids and
// counts; never texts, tokens or addresses.
package trace

import (
	"context"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

const (
	// Slow is how long a request takes, at least, that is exported whatever the share is.
	Slow = time.Second

	header = "traceparent"
	// Callers may ask for a request to be traced. They get this many a second, together.
	askedPerSec = 10
)

// Tracer makes spans, and exports them while Run runs.
type Tracer struct {
	*queue
	tracer oteltrace.Tracer
	share  float64
	asked  *ratelimit.Limiter
}

func newTracer(q *queue, share float64, r *resource.Resource) *Tracer {
	p := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), // whoever starts a span has decided
		sdktrace.WithIDGenerator(ids{}), sdktrace.WithSpanProcessor(q), sdktrace.WithResource(r))
	return &Tracer{queue: q, tracer: p.Tracer("github.com/unhidra/unhidra"), share: share,
		asked: ratelimit.New(askedPerSec, time.Second, 10*askedPerSec)}
}

// A Request is the work of this node on one request. A nil one is not traced.
type Request struct {
	t     *Tracer
	ctx   context.Context // of what its span is a child
	name  string
	start time.Time
	span  oteltrace.Span // nil: not chosen
}

// Request begins a request. parent is the traceparent of the caller (W3C Trace Context);
// without one, or with a wrong one, a new trace begins. Call End.
func (t *Tracer) Request(ctx context.Context, name, parent string) (context.Context, *Request) {
	if t == nil {
		return ctx, nil
	}
	r := &Request{t: t, name: name, start: time.Now()}
	sc := parse(parent)
	id := sc.TraceID()
	if !sc.IsValid() {
		id = newTraceID()
	}
	ctx = context.WithValue(ctx, idKey{}, id)
	r.ctx = oteltrace.ContextWithRemoteSpanContext(ctx, sc)
	if sc.IsSampled() && t.allow(r.start) || rand.Float64() < t.share {
		ctx, r.span = t.tracer.Start(r.ctx, name, oteltrace.WithTimestamp(r.start),
			oteltrace.WithSpanKind(oteltrace.SpanKindServer))
	}
	return ctx, r
}

func (t *Tracer) allow(now time.Time) bool {
	ok, _ := t.asked.Allow("callers", now)
	return ok
}

// End ends the request. failed says that the server is to blame; what its callers do wrong is
// no failure. A name that is not empty replaces that of the beginning.
func (r *Request) End(name string, failed bool, attrs ...attribute.KeyValue) {
	if r == nil {
		return
	}
	if name == "" {
		name = r.name
	}
	end := time.Now()
	if r.span == nil {
		if !failed && end.Sub(r.start) < Slow {
			return
		}
		_, r.span = r.t.tracer.Start(r.ctx, name, oteltrace.WithTimestamp(r.start),
			oteltrace.WithSpanKind(oteltrace.SpanKindServer))
	}
	r.span.SetName(name)
	r.span.SetAttributes(attrs...)
	if failed {
		r.span.SetStatus(codes.Error, "")
	}
	r.span.End(oteltrace.WithTimestamp(end))
}

// Failed reports whether the server is to blame for err.
func Failed(err error) bool {
	kind := domain.KindOf(err)
	return err != nil && (kind == domain.Internal || kind == domain.Unavailable)
}

// A Span is a part of the work on a request. The zero value is not traced.
type Span struct{ span oteltrace.Span }

// Start begins a part of what ctx is about. Without a traced request it does nothing.
func Start(ctx context.Context, name string) (context.Context, Span) {
	parent := oteltrace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	ctx, span := tracerOf(parent).Start(ctx, name)
	return ctx, Span{span}
}

// StartBatch begins one piece of work for n requests; parent returns the context of each. It is
// a part of the first that is traced; it and the others link to each other.
func StartBatch(name string, n int, parent func(i int) context.Context) Span {
	var s Span
	for i := range n {
		ctx := parent(i)
		parent := oteltrace.SpanFromContext(ctx)
		if !parent.IsRecording() {
			continue
		}
		if s.span == nil {
			_, s.span = tracerOf(parent).Start(ctx, name,
				oteltrace.WithAttributes(attribute.Int("unhidra.batch", n)))
			continue
		}
		s.span.AddLink(oteltrace.Link{SpanContext: parent.SpanContext()})
		parent.AddLink(oteltrace.Link{SpanContext: s.span.SpanContext()})
	}
	return s
}

func tracerOf(s oteltrace.Span) oteltrace.Tracer {
	return s.TracerProvider().Tracer("github.com/unhidra/unhidra")
}

// Continue begins a part of a request whose traceparent came from within the server, perhaps
// from another node. It returns the traceparent of the part, or parent if tracing is off.
func (t *Tracer) Continue(name, parent, room string, seq int64) (Span, string) {
	if t == nil || parent == "" {
		return Span{}, parent
	}
	sc := parse(parent)
	if !sc.IsSampled() {
		return Span{}, parent
	}
	ctx, span := t.tracer.Start(oteltrace.ContextWithRemoteSpanContext(context.Background(), sc), name,
		oteltrace.WithAttributes(attribute.String("unhidra.room", room), attribute.Int64("unhidra.seq", seq)))
	return Span{span}, Parent(ctx)
}

// End ends the span; err is whether it failed, and stays out of it.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
}

// Parent returns the traceparent of what ctx is about, for others to continue; empty: it is
// not traced.
func Parent(ctx context.Context) string {
	if !oteltrace.SpanFromContext(ctx).IsRecording() {
		return ""
	}
	c := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, c)
	return c[header]
}

// ID returns the id of the trace that ctx is about, in hexadecimal, for the log; empty: none.
// Requests that were not chosen have one too: the caller's, or one that is exported if they
// fail.
func ID(ctx context.Context) string {
	id, ok := ctx.Value(idKey{}).(oteltrace.TraceID)
	if !ok {
		return ""
	}
	return id.String()
}

func parse(parent string) oteltrace.SpanContext {
	if parent == "" {
		return oteltrace.SpanContext{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{header: parent})
	return oteltrace.SpanContextFromContext(ctx)
}
