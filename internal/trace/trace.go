// Package trace follows requests through the server and its nodes, and exports what it saw
// as spans of OpenTelemetry, over OTLP. A nil *Tracer is tracing that is off: it costs
// nothing, and every method but Run may be called on it.
//
// Whether a request is traced is decided when it begins. One that was not, and failed or was
// slow, is exported all the same, with its slow parts and no others. Spans have names, ids and
// counts; never texts, tokens or addresses.
package trace

import (
	"context"
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
	header = "traceparent"
	scope  = "github.com/unhidra/unhidra" // whose spans these are
	// Callers may ask for a request to be traced. They get this many a second, together.
	askedPerSec = 10
	// Clients may report spans of their own. They get this many a second, together.
	reportedPerSec = 20
)

// Tracer makes spans, and exports them while Run runs.
type Tracer struct {
	*queue
	tracer   oteltrace.Tracer
	clients  oteltrace.Tracer // of the spans that clients report
	share    float64
	asked    *ratelimit.Limiter
	reported *ratelimit.Limiter
}

func newTracer(q *queue, share float64, r *resource.Resource) *Tracer {
	client := resource.NewSchemaless(attribute.String("service.name", "unhidra-web"))
	return &Tracer{queue: q, tracer: tracerOver(q, r), clients: tracerOver(q, client), share: share,
		asked:    ratelimit.New(askedPerSec, time.Second, 10*askedPerSec),
		reported: ratelimit.New(reportedPerSec, time.Second, 10*reportedPerSec)}
}

func tracerOver(q *queue, r *resource.Resource) oteltrace.Tracer {
	p := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), // whoever starts a span has decided
		sdktrace.WithIDGenerator(ids{}), sdktrace.WithSpanProcessor(q), sdktrace.WithResource(r))
	return p.Tracer(scope)
}

// Report exports the span of a client: what it has sent a request with the traceparent parent for.
// Beyond a limit, and without a valid traceparent, it does nothing.
func (t *Tracer) Report(parent, name string, start, end time.Time, failed bool) {
	if t == nil {
		return
	}
	sc := parse(parent)
	if ok, _ := t.reported.Allow("clients", time.Now()); !ok || !sc.IsSampled() {
		return
	}
	_, span := t.clients.Start(context.WithValue(context.Background(), givenKey{}, sc), name,
		oteltrace.WithTimestamp(start), oteltrace.WithSpanKind(oteltrace.SpanKindClient))
	if failed {
		span.SetStatus(codes.Error, "")
	}
	span.End(oteltrace.WithTimestamp(end))
}

// An Attr is something to know about a span: no text, token or address of a user.
type Attr = attribute.KeyValue

// String returns an attribute with a text.
func String(key, value string) Attr { return attribute.String(key, value) }

// Int returns an attribute with a number.
func Int(key string, value int) Attr { return attribute.Int(key, value) }

// A Span is a part of the work on a request. The zero value is not traced.
type Span struct{ span oteltrace.Span }

// Start begins a part of what ctx is about. Without a traced request it does nothing.
func Start(ctx context.Context, name string) (context.Context, Span) {
	parent := oteltrace.SpanFromContext(ctx)
	if !parent.SpanContext().IsSampled() {
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
		if !parent.SpanContext().IsSampled() {
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
	return s.TracerProvider().Tracer(scope)
}

// Continue begins a part of what has the traceparents parents, which came from within the server,
// perhaps from another node or from the store. It is a part of the first that is traced, and links
// to the others.
func (t *Tracer) Continue(ctx context.Context, name string, parents ...string) (context.Context, Span) {
	return t.ContinueSince(ctx, time.Time{}, name, parents...)
}

// ContinueSince is Continue, of what began earlier: its parents were not known before. Zero is now.
func (t *Tracer) ContinueSince(
	ctx context.Context, began time.Time, name string, parents ...string,
) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	var span oteltrace.Span
	for _, parent := range parents {
		sc := parse(parent)
		switch {
		case !sc.IsSampled():
		case span == nil:
			ctx, span = t.tracer.Start(oteltrace.ContextWithRemoteSpanContext(ctx, sc), name,
				oteltrace.WithSpanKind(oteltrace.SpanKindConsumer), oteltrace.WithTimestamp(began))
		default:
			span.AddLink(oteltrace.Link{SpanContext: sc})
		}
	}
	return ctx, Span{span}
}

// Room notes which event of which room the span is about.
func (s Span) Room(id string, seq int64) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String("unhidra.room", id), attribute.Int64("unhidra.seq", seq))
	}
}

// Note notes something else about the span.
func (s Span) Note(attrs ...Attr) {
	if s.span != nil {
		s.span.SetAttributes(attrs...)
	}
}

// End ends the span. err says whether it failed: of it the span has the kind alone.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, "")
		s.span.SetAttributes(attribute.String("error.type", string(domain.KindOf(err))))
	}
	s.span.End()
}

// Parent returns the traceparent of the span, for others to continue; empty: it is not traced.
func (s Span) Parent() string {
	if s.span == nil {
		return ""
	}
	return Parent(oteltrace.ContextWithSpan(context.Background(), s.span))
}

// Parent returns the traceparent of what ctx is about, for others to continue; empty: it is
// not traced.
func Parent(ctx context.Context) string {
	if !oteltrace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	c := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, c)
	return c[header]
}

// IDOf returns the id of the trace that a traceparent is of, in hexadecimal; empty: it is none of
// a traced request.
func IDOf(parent string) string {
	if sc := parse(parent); sc.IsSampled() {
		return sc.TraceID().String()
	}
	return ""
}

func parse(parent string) oteltrace.SpanContext {
	if parent == "" {
		return oteltrace.SpanContext{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{header: parent})
	return oteltrace.SpanContextFromContext(ctx)
}
