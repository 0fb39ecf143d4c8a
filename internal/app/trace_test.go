package app_test

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mailtest"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
	"github.com/unhidra/unhidra/internal/testkit/otlptest"
	"github.com/unhidra/unhidra/internal/ws"
)

// What a client sends that has a span of its own, and asks for the request to be traced.
const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	callerID    = "00f067aa0ba902b7"
	traceparent = "00-" + traceID + "-" + callerID + "-01"
)

// isTree waits until the receiver has the spans of the caller's trace, and no others of it but those
// of slow statements: whether a statement is slow depends on what else the machine does.
func isTree(t *testing.T, r *otlptest.Receiver, name func(otlptest.Span) string, want string) {
	t.Helper()
	var got string
	defer func() {
		if got != want {
			t.Logf("the trace is\n%swant\n%s", got, want)
		}
	}()
	wait(t, func() bool {
		got = r.Tree(traceID, callerID, func(s otlptest.Span) string {
			if s.Name == "store.statement" {
				return ""
			}
			return name(s)
		})
		return got == want
	})
}

type tracedKey struct{}

// traced is a context of which tracedOnly gives the traceparent.
func traced(t *testing.T) context.Context { return context.WithValue(t.Context(), tracedKey{}, true) }

func tracedOnly(ctx context.Context) string {
	if ctx.Value(tracedKey{}) == nil {
		return ""
	}
	return traceparent
}

// A message is one trace, from the client's own span to the delivery on the other node and to a
// consumer of the feed on a third one.
func TestMessageIsOneTrace(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(*otlptest.Receiver) string{
		"http": func(r *otlptest.Receiver) string { return r.HTTP },
		"grpc": func(r *otlptest.Receiver) string { return r.GRPC },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messageIsOneTrace(t, url)
		})
	}
}

func messageIsOneTrace(t *testing.T, url func(*otlptest.Receiver) string) {
	otlp, store, nats := otlptest.Start(t), testkit.Postgres(t), natstest.Start(t).URL()
	c := live.StartCluster(t, store, nats, 2, "UNHIDRA_OTLP_URL="+url(otlp), "UNHIDRA_TRACE_SAMPLE=0")
	runWith(t, store, feed.Consumer[domain.Event]{Name: "test",
		Handle: func(context.Context, []feed.Entry[domain.Event]) error { return nil },
	}, "UNHIDRA_OTLP_URL="+url(otlp), "UNHIDRA_TRACE_SAMPLE=0", "NATS_URL="+nats,
		"UNHIDRA_SERVER_KEY=the same key for every server of a test")
	ann, bob, room := team(t, c)
	ann.Traceparent = tracedOnly
	h := listen(t, ann) // so that the room is live at her node, too
	b := listen(t, bob)
	first, err := h.Send(t.Context(), client.Draft{Room: room, Text: "before"})
	must(t, err)
	wait(t, func() bool { return b.last(room) >= first.Seq }) // the bus knows where his node listens
	const secret = "seven otters"
	_, err = h.Send(traced(t), client.Draft{Room: room, Text: secret})
	must(t, err)

	node := "" // that ann is connected to
	isTree(t, otlp, func(s otlptest.Span) string {
		where := "here"
		switch {
		case s.Service != "unhidra" || s.Node == "":
			where = "nowhere"
		case s.Name == "ws message.send":
			node = s.Node
		case s.Node != node:
			where = "elsewhere"
		}
		return s.Name + " " + where
	}, `ws message.send here
  chat.send here
    bus.publish here
      hub.deliver elsewhere
      hub.deliver here
    feed.handle elsewhere
    store.commit here
`)
	for _, s := range otlp.Spans() {
		if text := s.Span.String(); strings.Contains(text, secret) || strings.Contains(text, ann.Tokens().Access) {
			t.Errorf("a text or a token is in the span %s", s.Name)
		}
	}
}

// What comes after an answer is a part of the request's trace: the mail, and the receivers of the
// audit log.
func TestMailsAndReceiversJoinTheTrace(t *testing.T) {
	t.Parallel()
	otlp, smtp := otlptest.Start(t), mailtest.Start(t, mailtest.Options{Clear: true})
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_OTLP_URL="+otlp.HTTP, "UNHIDRA_TRACE_SAMPLE=0",
		"UNHIDRA_SMTP_URL="+smtp.URL+"?tls=off", "UNHIDRA_MAIL_FROM=chat@example.org",
		"UNHIDRA_AUDIT_LOG="+filepath.Join(t.TempDir(), "audit.jsonl"))
	register := func(body string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1/auth/register",
			strings.NewReader(body))
		must(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("traceparent", traceparent)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		must(t, res.Body.Close())
	}
	register(`{"username":"ann","email":"ann@example.org","password":"seven-quiet-otters-row"}`)
	smtp.Wait(t, "ann@example.org", 1)
	isTree(t, otlp, func(s otlptest.Span) string {
		kind, _, _ := strings.Cut(otlptest.Attr(s.Attributes, "unhidra.consumer"), ":")
		return strings.TrimSpace(s.Name + " " + kind)
	}, `POST /api/v1/auth/register
  auth.after_answer
    mail.send
      store.commit
    store.commit
    store.commit
  feed.handle file
  store.commit
`)
}

// A request over HTTP continues the trace of its caller, and errors name it.
func TestProblemsNameTheTrace(t *testing.T) {
	t.Parallel()
	otlp := otlptest.Start(t)
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_OTLP_URL="+otlp.HTTP, "UNHIDRA_TRACE_SAMPLE=0")
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
	if body := get(traceparent); !strings.Contains(body, `"trace":"`+traceID+`"`) {
		t.Errorf("the problem does not name the trace: %s", body)
	}
	if body := get("nonsense"); !strings.Contains(body, `"trace":"`) || strings.Contains(body, "nonsense") {
		t.Errorf("the problem does not name a trace of its own: %s", body)
	}
	isTree(t, otlp, (otlptest.Span).GetName, "GET other\n")
}

// What a handshake leads to lasts as long as its connection does, and is no request: of MQTT over
// WebSocket there are no spans, whose own would never end.
func TestHandshakesAreNotTraced(t *testing.T) {
	t.Parallel()
	otlp := otlptest.Start(t)
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_OTLP_URL="+otlp.HTTP, "UNHIDRA_TRACE_SAMPLE=0")
	ann := s.User("ann")
	nc, _, err := ws.Dial(t.Context(), s.URL+"/mqtt", http.Header{"Traceparent": {traceparent}}, []string{"mqtt"}, nil)
	must(t, err)
	stored := connectAs(packet.V5, "kept", accessOf(t, ann)) // its session is written
	stored.Props = packet.Properties{{ID: packet.SessionExpiry, Num: 60}}
	c, ack := mqtttest.On(t, mqtttest.WebSocket(nc), stored)
	if ack.Code != packet.Success {
		t.Fatalf("refused with 0x%02x", byte(ack.Code))
	}
	c.Subscribe(packet.Filter{Topic: "a", QoS: 1})
	const later = "00-11111111111111111111111111111111-2222222222222222-01"
	ann.Traceparent = func(context.Context) string { return later }
	_, err = ann.Me(t.Context())
	must(t, err)
	wait(t, func() bool { return len(otlp.Children(later[3:35], later[36:52])) > 0 })
	for _, s := range otlp.Spans() {
		if hex.EncodeToString(s.TraceId) == traceID {
			t.Errorf("the handshake has led to the span %s", s.Name)
		}
	}
}

// An error on the WebSocket names the trace, as a problem document does.
func TestRefusedRequestsNameTheTrace(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_OTLP_URL="+otlptest.Start(t).HTTP)
	ann := s.User("ann")
	ann.Traceparent = tracedOnly
	h := listen(t, ann)
	_, live := h.Send(traced(t), client.Draft{Room: "no room", Text: "a"})
	for _, err := range []error{live, ann.Do(traced(t), http.MethodGet, "/rooms/none", nil, nil)} {
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Trace != traceID {
			t.Errorf("the error does not name the trace: %#v", err)
		}
	}
}

// Who looks at a slow bucket of a histogram finds a trace of it.
func TestHistogramsNameTraces(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_OTLP_URL="+otlptest.Start(t).HTTP, "UNHIDRA_TRACE_SAMPLE=0")
	ann := s.User("ann")
	r, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Operations"})
	must(t, err)
	ann.Traceparent = tracedOnly
	h := listen(t, ann)
	_, err = h.Send(traced(t), client.Draft{Room: r.ID, Text: "a"})
	must(t, err)
	metrics := func() string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Operator+"/metrics", nil)
		must(t, err)
		req.Header.Set("Accept", "application/openmetrics-text")
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		must(t, err)
		return string(body)
	}
	_, err = ann.Me(traced(t))
	must(t, err)
	for _, name := range []string{"http_request_duration_seconds", "gateway_message_delivery_duration_seconds"} {
		wait(t, func() bool {
			for line := range strings.Lines(metrics()) {
				if strings.HasPrefix(line, name+"_bucket{") && strings.Contains(line, `# {trace_id="`+traceID+`"}`) {
					return true
				}
			}
			return false
		})
	}
}

// The browser's own span is where the trace begins, if the server asks web clients for it.
func TestBrowsersBeginTraces(t *testing.T) {
	t.Parallel()
	otlp := otlptest.Start(t)
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_OTLP_URL="+otlp.HTTP, "UNHIDRA_TRACE_SAMPLE=0",
		"UNHIDRA_TRACE_BROWSER=0.5")
	ann := s.User("ann")
	ann.Traceparent = tracedOnly
	var hello client.Hello
	l := ann.Live(t.Context(), client.LiveOptions{OnHello: func(h client.Hello) { hello = h }})
	defer l.Close()
	must(t, l.Ping(traced(t))) // after the hello
	if hello.TraceShare != 0.5 {
		t.Errorf("the browser is to trace %v of its requests", hello.TraceShare)
	}
	type spans map[string]any
	must(t, ann.Do(t.Context(), http.MethodPost, "/traces", spans{"spans": []spans{
		{"traceparent": traceparent, "name": "GET rooms", "ago": 40, "took": 30},
	}}, nil))
	wait(t, func() bool {
		return otlp.Tree(traceID, "", func(s otlptest.Span) string { return s.Name + " " + s.Service }) ==
			"GET rooms unhidra-web\n  ws ping unhidra\n"
	})
	var refused *client.Error
	if err := ann.Do(t.Context(), http.MethodPost, "/traces", spans{"spans": []spans{
		{"traceparent": traceparent, "name": "GET rooms/secret text", "ago": 40, "took": 30},
	}}, nil); !errors.As(err, &refused) || refused.Kind != "invalid" {
		t.Errorf("any text may be a name: %v", err)
	}
}
