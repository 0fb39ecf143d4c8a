package app_test

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
	"github.com/unhidra/unhidra/internal/ws"
)

// otlpReceiver takes spans as a collector does, over HTTP.
type otlpReceiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []nodeSpan
}

// nodeSpan is a span and the node that it is from.
type nodeSpan struct {
	*tracev1.Span
	node string
}

func newReceiver(t *testing.T) *otlpReceiver {
	t.Helper()
	r := &otlpReceiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *otlpReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	b, err := io.ReadAll(body)
	var in collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(b, &in)
	}
	if err != nil || req.URL.Path != "/v1/traces" {
		http.Error(w, "no spans", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range in.ResourceSpans {
		node := ""
		for _, a := range of.Resource.Attributes {
			if a.Key == "service.instance.id" {
				node = a.Value.GetStringValue()
			}
		}
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				r.spans = append(r.spans, nodeSpan{s, node})
			}
		}
	}
}

// children returns the spans of a trace with a parent and a name.
func (r *otlpReceiver) children(trace string, parent []byte, name string) (found []nodeSpan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if hex.EncodeToString(s.TraceId) == trace && string(s.ParentSpanId) == string(parent) && s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// child waits for n spans of a trace with a parent and a name, and returns the first.
func (r *otlpReceiver) child(t *testing.T, trace string, parent []byte, name string) nodeSpan {
	t.Helper()
	wait(t, func() bool { return len(r.children(trace, parent, name)) > 0 })
	return r.children(trace, parent, name)[0]
}

// say sends one frame by a connection of its own, and leaves it open.
func say(t *testing.T, s *live.Server, token, frame string) {
	t.Helper()
	nc, _, err := ws.Dial(t.Context(), "http://"+s.Public+"/ws", nil, []string{"bearer", token}, nil)
	must(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	_, err = nc.Write(ws.AppendMasked(nil, ws.Text, []byte(frame), [4]byte{1, 2, 3, 4}))
	must(t, err)
}

// A message is one trace, from the client's own span to the delivery on the other node.
func TestMessageIsOneTrace(t *testing.T) {
	t.Parallel()
	otlp := newReceiver(t)
	c := live.StartCluster(t, testkit.Postgres(t), natstest.Start(t).URL(), 2,
		"UNHIDRA_OTLP_URL="+otlp.URL, "UNHIDRA_TRACE_SAMPLE=0")
	ann, bob, room := team(t, c)
	b := listen(t, bob)
	const trace, parent, secret = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "seven otters"
	say(t, c.Nodes[0], ann.Tokens().Access, `{"id":"1","type":"message.send","trace":"00-`+trace+`-`+parent+`-01",`+
		`"data":{"room":"`+room+`","key":"k1","text":"`+secret+`"}}`)
	wait(t, func() bool { return b.last(room) > 0 })

	caller, err := hex.DecodeString(parent)
	must(t, err)
	request := otlp.child(t, trace, caller, "ws message.send")
	sent := otlp.child(t, trace, request.SpanId, "chat.send")
	otlp.child(t, trace, sent.SpanId, "store.commit")
	published := otlp.child(t, trace, sent.SpanId, "bus.publish")
	wait(t, func() bool {
		for _, s := range otlp.children(trace, published.SpanId, "hub.deliver") {
			if s.node != request.node && s.node != "" {
				return true
			}
		}
		return false
	})
	otlp.mu.Lock()
	defer otlp.mu.Unlock()
	for _, s := range otlp.spans {
		if hex.EncodeToString(s.TraceId) != trace {
			t.Errorf("%s is traced, though nobody asked for it", s.Name)
		}
		if text := s.Span.String(); strings.Contains(text, secret) || strings.Contains(text, ann.Tokens().Access) {
			t.Errorf("a text or a token is in the span %s", s.Name)
		}
	}
}

// A request over HTTP continues the trace of its caller, and errors name it.
func TestProblemsNameTheTrace(t *testing.T) {
	t.Parallel()
	otlp := newReceiver(t)
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_OTLP_URL="+otlp.URL, "UNHIDRA_TRACE_SAMPLE=0")
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	get := func(header string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/nothing", nil)
		must(t, err)
		req.Header.Set("traceparent", header)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		must(t, err)
		return string(body)
	}
	if body := get("00-" + trace + "-" + parent + "-01"); !strings.Contains(body, `"trace":"`+trace+`"`) {
		t.Errorf("the problem does not name the trace: %s", body)
	}
	if body := get("nonsense"); !strings.Contains(body, `"trace":"`) || strings.Contains(body, "nonsense") {
		t.Errorf("the problem does not name a trace of its own: %s", body)
	}
	caller, err := hex.DecodeString(parent)
	must(t, err)
	otlp.child(t, trace, caller, "GET other")
}
