package trace

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	queueLength  = 4096 // spans that wait to be exported; more are dropped
	batchLength  = 512  // spans of one export
	batchTime    = time.Second
	exportTime   = 5 * time.Second // of one export, with all attempts
	lastTime     = 2 * time.Second // for what waits when the server stops
	reasonQueue  = "queue_full"
	reasonExport = "export_failed"
)

// Options say where spans go.
type Options struct {
	URL     string  // of the OTLP receiver: http, https, grpc or grpcs; empty: tracing is off
	Share   float64 // of the requests that are traced though nobody asked for it, 0 to 1
	Version string  // of the server
	Node    string  // name of this process; empty: it has none
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: none
}

// New returns a tracer, or nil if there is nowhere to export to. A receiver that is away is no
// error.
func New(o Options) (*Tracer, error) {
	if o.URL == "" {
		return nil, nil
	}
	client, err := newClient(o.URL)
	if err != nil {
		return nil, err
	}
	attrs := []attribute.KeyValue{
		attribute.String("service.name", "unhidra"), attribute.String("service.version", o.Version),
	}
	if o.Node != "" {
		attrs = append(attrs, attribute.String("service.instance.id", o.Node))
	}
	q := &queue{log: o.Log, exporter: otlptrace.NewUnstarted(client), spans: make(chan sdktrace.ReadOnlySpan, queueLength)}
	q.count(o.Metrics)
	return newTracer(q, o.Share, resource.NewSchemaless(attrs...)), nil
}

func newClient(raw string) (otlptrace.Client, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("URL of the OTLP receiver: %w", err)
	}
	switch u.Scheme {
	case "grpc", "grpcs":
		options := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(u.Host)}
		if u.Scheme == "grpc" {
			options = append(options, otlptracegrpc.WithInsecure())
		}
		return otlptracegrpc.NewClient(options...), nil
	case "http", "https":
		if strings.Trim(u.Path, "/") == "" {
			u.Path = "/v1/traces"
		}
		return otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(u.String())), nil
	}
	return nil, fmt.Errorf("URL of the OTLP receiver: no scheme %q; use http, https, grpc or grpcs", u.Scheme)
}

// A queue holds spans until they are exported. It implements sdktrace.SpanProcessor, and
// unlike that of the SDK counts what it loses.
type queue struct {
	log      *slog.Logger
	exporter sdktrace.SpanExporter
	spans    chan sdktrace.ReadOnlySpan
	exported prometheus.Counter
	dropped  *prometheus.CounterVec
	failing  bool // the last export failed
}

func (q *queue) count(reg prometheus.Registerer) {
	q.exported = prometheus.NewCounter(prometheus.CounterOpts{Name: "trace_spans_exported_total",
		Help: "Spans that the OTLP receiver took."})
	q.dropped = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trace_spans_dropped_total",
		Help: "Spans that were lost: too many waited (queue_full), or the receiver did not take them (export_failed)."},
		[]string{"reason"})
	q.dropped.WithLabelValues(reasonQueue)
	q.dropped.WithLabelValues(reasonExport)
	if reg != nil {
		reg.MustRegister(q.exported, q.dropped)
	}
}

func (*queue) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd takes a span. It does not block.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	select {
	case q.spans <- s:
	default:
		q.dropped.WithLabelValues(reasonQueue).Inc()
	}
}

func (*queue) Shutdown(context.Context) error   { return nil }
func (*queue) ForceFlush(context.Context) error { return nil }

// Run exports spans until ctx is done, and then those that wait, in a short time.
func (q *queue) Run(ctx context.Context) error {
	if e, ok := q.exporter.(*otlptrace.Exporter); ok {
		if err := e.Start(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("start the export of traces: %w", err)
		}
	}
	tick := time.NewTicker(batchTime)
	defer tick.Stop()
	batch := make([]sdktrace.ReadOnlySpan, 0, batchLength)
	for {
		select {
		case s := <-q.spans:
			if batch = append(batch, s); len(batch) < batchLength {
				continue
			}
		case <-tick.C:
		case <-ctx.Done():
			return q.last(ctx, batch)
		}
		q.export(ctx, batch, exportTime)
		batch = batch[:0]
	}
}

// last exports what waits, and ends the exporter.
func (q *queue) last(ctx context.Context, batch []sdktrace.ReadOnlySpan) error {
	for n := len(q.spans); n > 0; n-- {
		batch = append(batch, <-q.spans)
	}
	late := context.WithoutCancel(ctx)
	q.export(late, batch, lastTime)
	late, cancel := context.WithTimeout(late, lastTime)
	defer cancel()
	if err := q.exporter.Shutdown(late); err != nil {
		q.log.WarnContext(ctx, "end the export of traces", "err", err)
	}
	return ctx.Err()
}

func (q *queue) export(ctx context.Context, batch []sdktrace.ReadOnlySpan, limit time.Duration) {
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	err := q.exporter.ExportSpans(ctx, batch)
	if err == nil {
		q.exported.Add(float64(len(batch)))
	} else {
		q.dropped.WithLabelValues(reasonExport).Add(float64(len(batch)))
		if !q.failing { // once, until it works again
			q.log.WarnContext(ctx, "the OTLP receiver does not take spans; they are lost until it does", "err", err)
		}
	}
	q.failing = err != nil
}
