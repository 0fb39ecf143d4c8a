package trace

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/unhidra/unhidra/internal/testkit/otlptest"
)

const caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0"

func newTest(share float64, e sdktrace.SpanExporter, length int) *Tracer {
	q := &queue{log: slog.New(slog.DiscardHandler), exporter: e, spans: make(chan sdktrace.ReadOnlySpan, length)}
	q.count(prometheus.NewRegistry())
	return newTracer(q, share, resource.Empty())
}

// names returns the names of the spans that wait.
func (q *queue) names() (names []string) {
	for n := len(q.spans); n > 0; n-- {
		names = append(names, (<-q.spans).Name())
	}
	return names
}

func TestOffCostsNothing(t *testing.T) {
	var off *Tracer
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		ctx, r := off.Request(ctx, "ws", "request", caller+"1")
		ctx, s := Start(ctx, "part")
		batch := StartBatch("batch", 1, func(int) context.Context { return ctx })
		batch.End(nil)
		s.End(nil)
		_ = Parent(ctx) + ID(ctx)
		SlowPart(ctx, "part", time.Now())
		ctx, s = off.Continue(ctx, "far", "")
		s.Room("room", 1)
		s.End(nil)
		r.End("req", false)
	}); n != 0 {
		t.Errorf("tracing that is off allocates %v times a request", n)
	}
}

func TestWhatIsTraced(t *testing.T) {
	for _, test := range []struct {
		name   string
		share  float64
		parent string
		failed bool
		want   string
	}{
		{"nobody asked", 0, "", false, ""},
		{"all are", 1, "", false, "part, ws request"},
		{"the caller asked", 0, caller + "1", false, "part, ws request"},
		{"the caller did not ask", 0, caller + "0", false, ""},
		{"it failed", 0, caller + "0", true, "ws request"},
	} {
		tracer := newTest(test.share, tracetest.NewInMemoryExporter(), 10)
		ctx, r := tracer.Request(t.Context(), "ws", "request", test.parent)
		_, s := Start(ctx, "part")
		s.End(nil)
		r.End("req", test.failed)
		if got := strings.Join(tracer.names(), ", "); got != test.want {
			t.Errorf("%s: exported %q, want %q", test.name, got, test.want)
		}
		if test.parent != "" && ID(ctx) != "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Errorf("%s: the trace is %q, not the caller's", test.name, ID(ctx))
		}
	}
}

// Callers may not make the server export without end.
func TestCallersAskWithinBounds(t *testing.T) {
	tracer := newTest(0, tracetest.NewInMemoryExporter(), 1000)
	for range 1000 {
		_, r := tracer.Request(t.Context(), "ws", "request", caller+"1")
		r.End("req", false)
	}
	if n := len(tracer.names()); n < 10*askedPerSec || n > 500 {
		t.Errorf("%d of 1000 requests are traced because their caller asked", n)
	}
}

// A request that failed is exported with the id that the log has.
func TestFailedRequestKeepsItsTrace(t *testing.T) {
	tracer := newTest(0, tracetest.NewInMemoryExporter(), 10)
	ctx, r := tracer.Request(t.Context(), "ws", "request", "")
	r.End("req", true)
	if s := <-tracer.spans; s.SpanContext().TraceID().String() != ID(ctx) || ID(ctx) == "" {
		t.Errorf("the span has the trace %s, the log %q", s.SpanContext().TraceID(), ID(ctx))
	}
}

func TestBatchLinksItsRequests(t *testing.T) {
	tracer := newTest(1, tracetest.NewInMemoryExporter(), 10)
	first, a := tracer.Request(t.Context(), "ws", "first", "")
	second, b := tracer.Request(t.Context(), "ws", "second", "")
	all := []context.Context{t.Context(), first, second}
	batch := StartBatch("batch", len(all), func(i int) context.Context { return all[i] })
	batch.End(nil)
	a.End("req", false)
	b.End("req", false)
	s, one, two := <-tracer.spans, <-tracer.spans, <-tracer.spans
	if s.Parent().SpanID() != one.SpanContext().SpanID() {
		t.Error("the batch is no part of the first request")
	}
	if l := s.Links(); len(l) != 1 || l[0].SpanContext.SpanID() != two.SpanContext().SpanID() {
		t.Errorf("the batch links to %v", l)
	}
	if l := two.Links(); len(l) != 1 || l[0].SpanContext.SpanID() != s.SpanContext().SpanID() {
		t.Errorf("the second request links to %v", l)
	}
}

// Parts of a request that was not chosen are exported with it if it fails, and not otherwise.
func TestSlowPartsOfAFailedRequest(t *testing.T) {
	for failed, want := range map[bool]string{true: "part, ws request", false: ""} {
		tracer := newTest(0, tracetest.NewInMemoryExporter(), 10)
		ctx, r := tracer.Request(t.Context(), "ws", "request", "")
		began := time.Now()
		SlowPart(ctx, "part", began, String("a", "b"))
		r.End("req", failed)
		waiting := []sdktrace.ReadOnlySpan{}
		for n := len(tracer.spans); n > 0; n-- {
			waiting = append(waiting, <-tracer.spans)
		}
		var names []string
		for _, s := range waiting {
			names = append(names, s.Name())
		}
		if got := strings.Join(names, ", "); got != want {
			t.Fatalf("failed %v: exported %q, want %q", failed, got, want)
		}
		if failed && (waiting[0].Parent().SpanID() != waiting[1].SpanContext().SpanID() ||
			!waiting[0].StartTime().Equal(began)) {
			t.Error("the part is not a part of the request, or did not begin when it did")
		}
	}
}

// Work on what several requests have left is a part of the first one's trace, and links to the
// others.
func TestContinuesSeveral(t *testing.T) {
	tracer := newTest(1, tracetest.NewInMemoryExporter(), 10)
	first, a := tracer.Request(t.Context(), "ws", "first", "")
	second, b := tracer.Request(t.Context(), "ws", "second", "")
	a.End("req", false)
	b.End("req", false)
	ctx, s := tracer.Continue(t.Context(), "work", "", Parent(first), "nonsense", Parent(second))
	_, inner := Start(ctx, "inner")
	inner.End(nil)
	s.End(nil)
	one, two, in, work := <-tracer.spans, <-tracer.spans, <-tracer.spans, <-tracer.spans
	if work.Parent().SpanID() != one.SpanContext().SpanID() || in.Parent().SpanID() != work.SpanContext().SpanID() {
		t.Error("the work is no part of the first request, or what it does is no part of it")
	}
	if l := work.Links(); len(l) != 1 || l[0].SpanContext.SpanID() != two.SpanContext().SpanID() {
		t.Errorf("the work links to %v", l)
	}
}

type refusing struct{ *tracetest.InMemoryExporter }

func (refusing) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	return errors.New("away")
}

func TestLossesAreCounted(t *testing.T) {
	tracer := newTest(1, refusing{tracetest.NewInMemoryExporter()}, 2)
	for range 3 {
		_, r := tracer.Request(t.Context(), "ws", "request", "")
		r.End("req", false)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := tracer.Run(stopped); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for reason, want := range map[string]float64{reasonQueue: 1, reasonExport: 2} {
		if got := testutil.ToFloat64(tracer.dropped.WithLabelValues(reason)); got != want {
			t.Errorf("%s: %v spans are counted as lost, want %v", reason, got, want)
		}
	}
}

func TestExports(t *testing.T) {
	receiver := otlptest.Start(t)
	for _, url := range []string{receiver.HTTP, receiver.GRPC} {
		tracer, err := New(Options{URL: url, Share: 1, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		_, r := tracer.Request(t.Context(), "ws", url, "")
		r.End("req", false)
		if err := tracer.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if spans := receiver.Spans(); len(spans) == 0 || spans[len(spans)-1].Name != "ws "+url {
			t.Errorf("the receiver got %v by %s", spans, url)
		}
	}
}

// The headers that OpenTelemetry's own variable sets are sent, such as a password.
func TestHeadersOfTheEnvironment(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20otter")
	got := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Authorization")
	}))
	defer receiver.Close()
	tracer, err := New(Options{URL: receiver.URL, Share: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, r := tracer.Request(t.Context(), "ws", "request", "")
	r.End("req", false)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := tracer.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if h := <-got; h != "Bearer otter" {
		t.Errorf("the receiver was told %q", h)
	}
}
