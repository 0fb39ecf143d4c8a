package trace

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
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
		ctx, r := off.Request(ctx, "request", caller+"1")
		ctx, s := Start(ctx, "part")
		batch := StartBatch("batch", 1, func(int) context.Context { return ctx })
		batch.End(nil)
		s.End(nil)
		_ = Parent(ctx) + ID(ctx)
		s, _ = off.Continue("far", "", "room", 1)
		s.End(nil)
		r.End("", false)
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
		{"all are", 1, "", false, "part request"},
		{"the caller asked", 0, caller + "1", false, "part request"},
		{"the caller did not ask", 0, caller + "0", false, ""},
		{"it failed", 0, caller + "0", true, "request"},
	} {
		tracer := newTest(test.share, tracetest.NewInMemoryExporter(), 10)
		ctx, r := tracer.Request(t.Context(), "request", test.parent)
		_, s := Start(ctx, "part")
		s.End(nil)
		r.End("", test.failed)
		if got := strings.Join(tracer.names(), " "); got != test.want {
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
		_, r := tracer.Request(t.Context(), "request", caller+"1")
		r.End("", false)
	}
	if n := len(tracer.names()); n < 10*askedPerSec || n > 500 {
		t.Errorf("%d of 1000 requests are traced because their caller asked", n)
	}
}

// A request that failed is exported with the id that the log has.
func TestFailedRequestKeepsItsTrace(t *testing.T) {
	tracer := newTest(0, tracetest.NewInMemoryExporter(), 10)
	ctx, r := tracer.Request(t.Context(), "request", "")
	r.End("", true)
	if s := <-tracer.spans; s.SpanContext().TraceID().String() != ID(ctx) || ID(ctx) == "" {
		t.Errorf("the span has the trace %s, the log %q", s.SpanContext().TraceID(), ID(ctx))
	}
}

func TestBatchLinksItsRequests(t *testing.T) {
	tracer := newTest(1, tracetest.NewInMemoryExporter(), 10)
	first, a := tracer.Request(t.Context(), "first", "")
	second, b := tracer.Request(t.Context(), "second", "")
	all := []context.Context{t.Context(), first, second}
	batch := StartBatch("batch", len(all), func(i int) context.Context { return all[i] })
	batch.End(nil)
	a.End("", false)
	b.End("", false)
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

type refusing struct{ *tracetest.InMemoryExporter }

func (refusing) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	return errors.New("away")
}

func TestLossesAreCounted(t *testing.T) {
	tracer := newTest(1, refusing{tracetest.NewInMemoryExporter()}, 2)
	for range 3 {
		_, r := tracer.Request(t.Context(), "request", "")
		r.End("", false)
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

type service struct {
	collector.UnimplementedTraceServiceServer
	got chan string
}

func (s service) Export(
	_ context.Context, in *collector.ExportTraceServiceRequest,
) (*collector.ExportTraceServiceResponse, error) {
	s.got <- in.ResourceSpans[0].ScopeSpans[0].Spans[0].Name
	return &collector.ExportTraceServiceResponse{}, nil
}

func TestExportsByGRPC(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	receiver, s := grpc.NewServer(), service{got: make(chan string, 1)}
	collector.RegisterTraceServiceServer(receiver, s)
	go func() { _ = receiver.Serve(l) }()
	t.Cleanup(receiver.Stop)
	tracer, err := New(Options{URL: "grpc://" + l.Addr().String(), Share: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tracer.Run(ctx) }()
	_, r := tracer.Request(t.Context(), "request", "")
	r.End("", false)
	if name := <-s.got; name != "request" {
		t.Errorf("the receiver got %q", name)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
