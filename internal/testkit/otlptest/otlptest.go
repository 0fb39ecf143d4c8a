// Package otlptest is a receiver of traces for tests: a real one, which takes OTLP's protobuf over
// HTTP and over gRPC, on the loopback, and keeps the spans.
package otlptest

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// A Receiver keeps the spans that it is sent.
type Receiver struct {
	HTTP string // URL for UNHIDRA_OTLP_URL
	GRPC string // the same, over gRPC

	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []Span
}

// A Span is one that was sent.
type Span struct {
	*tracev1.Span
	Service string // service.name of the sender
	Node    string // service.instance.id of the sender; empty: it has none
}

// Start starts a receiver, which stops at the end of the test.
func Start(tb testing.TB) *Receiver {
	tb.Helper()
	r := &Receiver{}
	web := httptest.NewServer(r)
	tb.Cleanup(web.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	rpc := grpc.NewServer()
	collector.RegisterTraceServiceServer(rpc, r)
	go func() { _ = rpc.Serve(l) }()
	tb.Cleanup(rpc.Stop)
	r.HTTP, r.GRPC = web.URL, "grpc://"+l.Addr().String()
	return r
}

// ServeHTTP takes spans as a collector does.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var in collector.ExportTraceServiceRequest
	if err := decode(req, &in); err != nil || req.Method != http.MethodPost || req.URL.Path != "/v1/traces" {
		http.Error(w, "no spans", http.StatusBadRequest)
		return
	}
	out, err := r.Export(req.Context(), &in)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	b, _ := proto.Marshal(out)
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(b)
}

func decode(req *http.Request, in *collector.ExportTraceServiceRequest) error {
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = z
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return proto.Unmarshal(b, in)
}

// Export takes spans over gRPC.
func (r *Receiver) Export(
	_ context.Context, in *collector.ExportTraceServiceRequest,
) (*collector.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range in.GetResourceSpans() {
		attrs := of.GetResource().GetAttributes()
		service, node := Attr(attrs, "service.name"), Attr(attrs, "service.instance.id")
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				r.spans = append(r.spans, Span{s, service, node})
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// Attr returns the text of an attribute, and nothing if there is none.
func Attr(attrs []*commonv1.KeyValue, key string) string {
	for _, a := range attrs {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// Spans returns all spans so far.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Children returns the spans with a parent, in hexadecimal, in a trace.
func (r *Receiver) Children(trace, parent string) (found []Span) {
	for _, s := range r.Spans() {
		if hex.EncodeToString(s.GetTraceId()) == trace && hex.EncodeToString(s.GetParentSpanId()) == parent {
			found = append(found, s)
		}
	}
	return found
}

// Tree returns what is below a span of a trace: a line for each span, with what name calls it,
// indented by two blanks for each that it is a part of. What is a part of the same is sorted. A span
// that name calls nothing is left out, with what is below it.
func (r *Receiver) Tree(trace, parent string, name func(Span) string) string {
	var parts []string
	for _, s := range r.Children(trace, parent) {
		lines := name(s) + "\n"
		if lines == "\n" {
			continue
		}
		below := r.Tree(trace, hex.EncodeToString(s.GetSpanId()), name)
		for line := range strings.Lines(below) {
			lines += "  " + line
		}
		parts = append(parts, lines)
	}
	slices.Sort(parts)
	return strings.Join(parts, "")
}
