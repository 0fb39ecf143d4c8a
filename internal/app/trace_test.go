package app_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mailtest"
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

// isTree waits until the receiver has the spans of the caller's trace, and no others of it.
func isTree(t *testing.T, r *otlptest.Receiver, name func(otlptest.Span) string, want string) {
	t.Helper()
	var got string
	defer func() {
		if got != want {
			t.Logf("the trace is\n%swant\n%s", got, want)
		}
	}()
	wait(t, func() bool {
		got = r.Tree(traceID, callerID, name)
		return got == want
	})
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
	listen(t, ann) // so that the room is live at her node, too
	listen(t, bob)
	const secret = "seven otters"
	say(t, c.Nodes[0], ann.Tokens().Access, fmt.Sprintf(`{"id":"1","type":"message.send","trace":%q,`+
		`"data":{"room":%q,"key":"k1","text":%q}}`, traceparent, room, secret))

	first := "" // the node that ann is connected to
	isTree(t, otlp, func(s otlptest.Span) string {
		where := "here"
		switch {
		case s.Service != "unhidra" || s.Node == "":
			where = "nowhere"
		case s.Name == "ws message.send":
			first = s.Node
		case s.Node != first:
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

// Messages that wait for the disk together are one commit: its span is a part of the first one's
// trace, and it and the others name each other by links.
func TestCommitLinksItsMessages(t *testing.T) {
	t.Parallel()
	otlp, o := otlptest.Start(t), testkit.SQLite(t)
	s := live.Start(t, o, "UNHIDRA_OTLP_URL="+otlp.HTTP, "UNHIDRA_TRACE_SAMPLE=1")
	ann := s.User("ann")
	r, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Operations"})
	must(t, err)
	db, err := sql.Open("sqlite", o.Path)
	must(t, err)
	defer func() { _ = db.Close() }()
	held, err := db.Conn(t.Context())
	must(t, err)
	_, err = held.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	must(t, err)
	const messages = 5
	for n := range messages {
		say(t, s, ann.Tokens().Access, fmt.Sprintf(
			`{"id":"1","type":"message.send","data":{"room":%q,"key":"k%d","text":"a"}}`, r.ID, n))
	}
	wait(t, func() bool {
		_, metrics := get(t, "http://"+s.Operator+"/metrics")
		_, depth, _ := strings.Cut(metrics, `queue_depth{queue="writes"} `)
		depth, _, _ = strings.Cut(depth, "\n")
		n, _ := strconv.Atoi(depth)
		return n >= messages-1 // the commit that is held may have one
	})
	_, err = held.ExecContext(t.Context(), "ROLLBACK")
	must(t, err)

	var all []otlptest.Span
	wait(t, func() bool {
		all = commits(otlp)
		named := 0
		for _, c := range all {
			named += 1 + len(c.Links)
		}
		return named == messages
	})
	if len(all) > 2 {
		t.Errorf("%d commits are not one for all messages that waited", len(all))
	}
	for _, c := range all {
		for _, l := range c.Links {
			wait(t, func() bool { return linked(otlp, l.SpanId, c.SpanId) })
		}
	}
}

// commits returns the commits of messages.
func commits(r *otlptest.Receiver) (found []otlptest.Span) {
	sent := make(map[string]bool)
	for _, s := range r.Spans() {
		sent[string(s.SpanId)] = s.Name == "chat.send"
	}
	for _, s := range r.Spans() {
		if s.Name == "store.commit" && sent[string(s.ParentSpanId)] {
			found = append(found, s)
		}
	}
	return found
}

// linked reports whether a message's span names a commit.
func linked(r *otlptest.Receiver, message, commit []byte) bool {
	for _, s := range r.Spans() {
		for _, l := range s.Links {
			if s.Name == "chat.send" && bytes.Equal(s.SpanId, message) && bytes.Equal(l.SpanId, commit) {
				return true
			}
		}
	}
	return false
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

// Who looks at a slow bucket of a histogram finds a trace of it.
func TestHistogramsNameTraces(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_OTLP_URL="+otlptest.Start(t).HTTP, "UNHIDRA_TRACE_SAMPLE=0")
	ann := s.User("ann")
	r, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Operations"})
	must(t, err)
	listen(t, ann)
	say(t, s, ann.Tokens().Access, fmt.Sprintf(
		`{"id":"1","type":"message.send","trace":%q,"data":{"room":%q,"key":"k","text":"a"}}`, traceparent, r.ID))
	ask := func(url, header, value string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		must(t, err)
		req.Header.Set(header, value)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		must(t, err)
		return string(body)
	}
	ask(s.URL+"/api/v1/rooms", "traceparent", traceparent)
	for _, name := range []string{"http_request_duration_seconds", "gateway_message_delivery_duration_seconds"} {
		wait(t, func() bool {
			for line := range strings.Lines(ask("http://"+s.Operator+"/metrics", "Accept", "application/openmetrics-text")) {
				if strings.HasPrefix(line, name+"_bucket{") && strings.Contains(line, `# {trace_id="`+traceID+`"}`) {
					return true
				}
			}
			return false
		})
	}
}
