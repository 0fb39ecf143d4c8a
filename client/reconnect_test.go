package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// A turn answers one attempt to connect.
type turn func(t *testing.T, w http.ResponseWriter, r *http.Request)

// refuse answers with a problem document.
func refuse(status int, body string) turn {
	return func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// accept upgrades the connection, says these frames, answers each request with the next of
// answers, and then closes with a code; with 0 it cuts the connection.
func accept(code int, reason string, said []string, answers ...func(wire.Request) string) turn {
	return func(t *testing.T, w http.ResponseWriter, r *http.Request) {
		nc := hijack(t, w, r)
		defer func() { _ = nc.Close() }()
		for _, f := range said {
			say(nc, f)
		}
		for _, answer := range answers {
			req, err := hear(nc)
			if err != nil {
				t.Error(err)
				return
			}
			say(nc, answer(req))
		}
		if code != 0 {
			_, _ = nc.Write(ws.AppendFrame(nil, ws.Close, ws.ClosePayload(code, reason)))
			_, _ = io.Copy(io.Discard, nc)
		}
	}
}

// stay lets the client in, and waits until it goes.
func stay(t *testing.T, w http.ResponseWriter, r *http.Request) {
	nc := hijack(t, w, r)
	defer func() { _ = nc.Close() }()
	say(nc, `{"type":"hello","data":{"conn":"last"}}`)
	_, _ = io.Copy(io.Discard, nc)
}

func hijack(t *testing.T, w http.ResponseWriter, r *http.Request) net.Conn {
	nc, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return nil
	}
	_, _ = nc.Write(ws.AppendUpgrade(nil, r, ws.Protocols(r)[0]))
	return nc
}

func say(nc net.Conn, frame string) { _, _ = nc.Write(ws.AppendFrame(nil, ws.Text, []byte(frame))) }

// hear reads the next request.
func hear(nc net.Conn) (req wire.Request, err error) {
	p, chunk := ws.Parser{Max: wire.MaxFrame}, make([]byte, 4096)
	var b []byte
	for {
		m, n, _, err := p.Next(b)
		if err != nil {
			return req, err
		}
		if n > 0 && m.Op == ws.Text {
			return req, json.Unmarshal(m.Payload, &req)
		}
		got, err := nc.Read(chunk)
		if err != nil {
			return req, err
		}
		b = append(b[n:], chunk[:got]...)
	}
}

// A change of the state of a Live.
type change struct {
	to  State
	err error
	at  time.Time
}

// connect runs a Live against a server that takes these turns, until the last one has let it
// in, or it has ended for good. Time passes at once while the client waits for its next attempt.
func connect(t *testing.T, source func(refresh bool) string, o LiveOptions, turns ...turn) (changes []change) {
	t.Helper()
	var attempts atomic.Int64
	var answering sync.WaitGroup
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answering.Add(1)
		defer answering.Done()
		n := int(attempts.Add(1)) - 1
		if n >= len(turns) {
			t.Errorf("attempt %d to connect", n+1)
			n = len(turns) - 1
		}
		turns[n](t, w, r)
	}))
	defer srv.Close()
	synctest.Test(t, func(t *testing.T) {
		c := New(srv.URL)
		c.Source = func(_ context.Context, refresh bool) (string, error) { return source(refresh), nil }
		over := make(chan struct{})
		o.OnState = func(s State, err error) {
			changes = append(changes, change{s, err, time.Now()})
			if s == Ended && !errors.Is(err, errClosed) {
				close(over)
			}
		}
		o.OnHello = func(h Hello) {
			if h.Conn == "last" {
				close(over)
			}
		}
		l := c.Live(t.Context(), o)
		<-over
		l.Close()
	})
	answering.Wait()
	if got := int(attempts.Load()); got != len(turns) {
		t.Errorf("%d attempts to connect, want %d", got, len(turns))
	}
	return changes
}

// waits returns how long the client waited before each of its attempts after the first.
func waits(changes []change) (out []time.Duration) {
	for i, c := range changes {
		if c.to == Waiting && i+1 < len(changes) {
			out = append(out, changes[i+1].at.Sub(c.at))
		}
	}
	return out
}

func always(token string) func(bool) string { return func(bool) string { return token } }

const hello = `{"type":"hello","data":{"conn":"c","rooms":[]}}`

// TestALostConnectionComesBack holds how long the client waits before it tries again: as long
// as the server says and at most half as much more, else up to a bound that grows.
func TestALostConnectionComesBack(t *testing.T) {
	t.Parallel()
	limit := func(failures int) [2]time.Duration { return [2]time.Duration{0, min(maxBackoff, minBackoff<<failures)} }
	away := refuse(503, `{"kind":"unavailable","detail":"x"}`)
	for _, c := range []struct {
		name  string
		turns []turn
		want  [][2]time.Duration // the shortest and the longest wait
	}{
		{"cut", []turn{accept(0, "", []string{hello}), stay}, [][2]time.Duration{limit(0)}},
		{"closed for an hour", []turn{accept(ws.CodeRestarting, "3600", []string{hello}), stay},
			[][2]time.Duration{{time.Hour, 90 * time.Minute}}},
		{"refused for three seconds", []turn{refuse(429, `{"kind":"rate_limited","detail":"x","retry_after":3}`), stay},
			[][2]time.Duration{{3 * time.Second, 4500 * time.Millisecond}}},
		{"away", []turn{away, away, away, away, away, away, away, away, stay},
			[][2]time.Duration{limit(0), limit(1), limit(2), limit(3), limit(4), limit(5), limit(6), limit(7)}},
		{"away, back for a moment, and away", []turn{away, away, accept(0, "", []string{hello}), away, stay},
			[][2]time.Duration{limit(0), limit(1), limit(0), limit(1)}},
		{"not a frame", []turn{accept(0, "", []string{`{`}), stay}, [][2]time.Duration{limit(0)}},
		{"no frame of this protocol", []turn{accept(0, "", []string{`{"type":"hello","data":7}`}), stay},
			[][2]time.Duration{limit(0)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := waits(connect(t, always("t"), LiveOptions{}, c.turns...))
			if len(got) != len(c.want) {
				t.Fatalf("waited %v", got)
			}
			for i, w := range c.want {
				if got[i] < w[0] || got[i] > w[1] {
					t.Errorf("wait %d took %v, not %v to %v", i, got[i], w[0], w[1])
				}
			}
		})
	}
}

// TestAConnectionThatMayNotComeBackEnds holds that a refusal for good is the end, with its reason.
func TestAConnectionThatMayNotComeBackEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		turns []turn
		want  string
	}{
		{"too old", []turn{refuse(426, "")}, "426"},
		{"forbidden", []turn{refuse(403, `{"kind":"forbidden","code":"account_disabled","detail":"x"}`)}, "403"},
		{"signed out", []turn{refuse(401, `{"kind":"unauthorized","code":"signed_out","detail":"x"}`)}, "401"},
		{"revoked", []turn{accept(wire.CloseRevoked, "revoked", []string{hello})}, "revoked"},
		{"a new token is refused as well", []turn{
			refuse(401, `{"kind":"unauthorized","code":"bad_token","detail":"x"}`),
			refuse(401, `{"kind":"unauthorized","code":"bad_token","detail":"x"}`),
		}, "401"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			changes := connect(t, always("t"), LiveOptions{}, c.turns...)
			last := changes[len(changes)-1]
			if last.to != Ended || last.err == nil || !strings.Contains(last.err.Error(), c.want) {
				t.Errorf("ended with %+v", last)
			}
			if w := waits(changes); len(w) > 0 {
				t.Errorf("waited %v before the end", w)
			}
		})
	}
}

// TestATokenThatEndedIsReplaced holds that the client comes back at once with another token,
// whether the server refuses the one it has or closes the connection because it ended.
func TestATokenThatEndedIsReplaced(t *testing.T) {
	t.Parallel()
	for name, ended := range map[string]turn{
		"refused": refuse(401, `{"kind":"unauthorized","code":"bad_token","detail":"x"}`),
		"closed":  accept(wire.CloseToken, "the token ended", []string{hello}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokens := 0
			source := func(refresh bool) string {
				if refresh {
					tokens++
				}
				return fmt.Sprint("t", tokens)
			}
			var second []string
			changes := connect(t, source, LiveOptions{}, ended, func(t *testing.T, w http.ResponseWriter, r *http.Request) {
				second = ws.Protocols(r)
				stay(t, w, r)
			})
			if w := waits(changes); len(w) > 0 || len(second) != 2 || second[1] != "t1" {
				t.Errorf("came back with %v after %v", second, w)
			}
		})
	}
}

// TestTokensThatEndAtOnceAreNotReplacedWithoutEnd holds that the client waits longer and longer
// where each new token is refused, or ends soon after the server let it in.
func TestTokensThatEndAtOnceAreNotReplacedWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, ended := range map[string]turn{
		"refused": refuse(401, `{"kind":"unauthorized","code":"bad_token","detail":"x"}`),
		"closed":  accept(wire.CloseToken, "the token ended", []string{hello}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokens := 0
			source := func(bool) string {
				tokens++
				return fmt.Sprint("t", tokens)
			}
			got := waits(connect(t, source, LiveOptions{}, ended, ended, ended, ended, ended, stay))
			if len(got) != 4 {
				t.Fatalf("waited %v, not before each attempt after the second", got)
			}
			for i, w := range got {
				if longest := minBackoff << (i + 1); w > longest {
					t.Errorf("wait %d took %v, not up to %v", i, w, longest)
				}
			}
		})
	}
}

// TestAConnectionResumesWhereItWas holds that each connection asks for what was missed since
// the last event that was delivered, and delivers each event once.
func TestAConnectionResumesWhereItWas(t *testing.T) {
	t.Parallel()
	var asked []string
	missed := func(events string) func(wire.Request) string {
		return func(req wire.Request) string {
			asked = append(asked, req.Type+string(req.Data))
			return fmt.Sprintf(`{"id":%q,"type":"ok","data":{"rooms":[{"room":"r1","head":9,"events":[%s]}]}}`, req.ID, events)
		}
	}
	at := func(head int) string {
		return fmt.Sprintf(`{"type":"hello","data":{"conn":"c","rooms":[{"id":"r1","head":%d}]}}`, head)
	}
	event := func(seq int) string { return fmt.Sprintf(`{"room":"r1","seq":%d}`, seq) }
	var got []int64
	connect(t, always("t"), LiveOptions{Rooms: map[string]int64{"r1": 3},
		OnEvent: func(e Event) { got = append(got, e.Seq) }},
		accept(0, "", []string{at(4)}, missed(event(4)+","+event(5))), // five came while it was answered
		accept(0, "", []string{at(5), `{"type":"event","data":` + event(6) + `}`}),
		accept(ws.CodeRestarting, "1", []string{at(8)}, missed(event(7)+","+event(8))),
		stay,
	)
	if want := "[4 5 6 7 8]"; fmt.Sprint(got) != want {
		t.Errorf("delivered %v, want %s", got, want)
	}
	if want := `[sync{"rooms":{"r1":3}} sync{"rooms":{"r1":6}}]`; fmt.Sprint(asked) != want {
		t.Errorf("asked %v, want %s", asked, want)
	}
}

// A session is a connection and the API of a server whose clock is not this machine's.
type session struct {
	net.Conn
	t        *testing.T
	k        *link
	expires  time.Time   // by the server's clock
	renewals chan string // tokens that came
	last     atomic.Int64
}

// RoundTrip answers a refresh.
func (s *session) RoundTrip(*http.Request) (*http.Response, error) {
	body := fmt.Sprintf(`{"state":"complete","access_token":"t%d","expires_in":600,"refresh_token":"r"}`, s.last.Add(1))
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (s *session) SetWriteDeadline(time.Time) error { return nil }

func (s *session) Write(b []byte) (int, error) {
	p := ws.Parser{Max: wire.MaxFrame}
	m, _, _, err := p.Next(append([]byte(nil), b...))
	var req wire.Request
	var r wire.Refresh
	if err := errors.Join(err, json.Unmarshal(m.Payload, &req), json.Unmarshal(req.Data, &r)); err != nil ||
		req.Type != wire.TypeRefresh {
		s.t.Errorf("the client sent %q: %v", m.Payload, err)
	}
	s.renewals <- r.Token
	s.expires = s.expires.Add(9 * time.Minute)
	until, err := json.Marshal(wire.Until{Expires: s.expires})
	if err != nil {
		s.t.Error(err)
	}
	s.k.answered(inbound{ID: req.ID, Type: wire.TypeOK, Data: until})
	return len(b), nil
}

// TestATokenIsRenewedAMinuteBeforeItsEnd holds this on machines whose clock is right, slow and
// fast: one that is an hour fast took each token for one that had ended, and renewed it
// every second.
func TestATokenIsRenewedAMinuteBeforeItsEnd(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"right": 0, "slow": -time.Hour, "fast": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := New("http://localhost")
				s := &session{t: t, renewals: make(chan string, 100), expires: time.Now().Add(10*time.Minute - ahead)}
				c.http.Transport = s
				c.SetTokens(Tokens{Access: "t0", Expires: time.Now().Add(10 * time.Minute), Refresh: "r"})
				s.k = &link{l: c.idle(LiveOptions{}), nc: s, token: "t0", waiting: map[string]chan reply{}}
				s.k.renew("t0", s.expires)
				for n, wait := range []time.Duration{9*time.Minute - time.Second, 2 * time.Second, 9*time.Minute - 2*time.Second,
					2 * time.Second} {
					time.Sleep(wait)
					synctest.Wait()
					if want := (n + 1) / 2; len(s.renewals) != want {
						t.Fatalf("%d renewals after step %d", len(s.renewals), n)
					}
				}
				s.k.abandon()
				time.Sleep(time.Hour)
				if n := len(s.renewals); n != 2 {
					t.Fatalf("%d renewals after the connection ended", n)
				}
				if first, second := <-s.renewals, <-s.renewals; first != "t1" || second != "t2" {
					t.Errorf("renewed with %s and %s", first, second)
				}
			})
		})
	}
}
