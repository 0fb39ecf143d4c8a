package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// TestAddressesOfServers holds that what is no address is refused at once: by each
// call, and by a Live, which would try again for ever otherwise.
func TestAddressesOfServers(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"http://localhost:9000", "https://chat.example.org", "https://chat.example.org/",
		"http://[::1]:9000"} {
		if err := Valid(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "localhost", "localhost:9000", "chat.example.org", "ws://localhost:9000", "http://",
		"http://:9000", "http://a b", "://x"} {
		if Valid(bad) == nil {
			t.Errorf("%q was taken for the address of a server", bad)
		}
	}
	c := New("localhost:9000")
	if _, err := c.Rooms(t.Context()); err == nil {
		t.Error("a request went somewhere")
	}
	l := c.Live(t.Context(), LiveOptions{})
	defer l.Close()
	if err := l.Ready(t.Context()); err == nil || l.State() != Ended || l.Err() == nil {
		t.Errorf("a Live with no address: %v, %v", l.State(), err)
	}
}

// TestLifeOfATokenIsCountedHere holds that a clock which is not the server's does
// not make a token seem ended: what counts is how long it is good for.
func TestLifeOfATokenIsCountedHere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := signInAnswer{Access: "a", Expires: time.Now().Add(-time.Hour), Life: 900, Refresh: "r"}
		if got := time.Until(s.tokens().Expires); got != 15*time.Minute {
			t.Errorf("the token is good for %v", got)
		}
		s = signInAnswer{Access: "a", Expires: time.Now().Add(time.Hour)}
		if got := time.Until(s.tokens().Expires); got != time.Hour {
			t.Errorf("without a life the token is good for %v", got)
		}
	})
}

// TestLaterServersAreUnderstood holds that fields which a later server adds are no
// errors, of an answer or of a frame.
func TestLaterServersAreUnderstood(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"items":[{"id":"r1","joined":true,"colour":"red"}],"mood":1}`))
	}))
	defer srv.Close()
	p, err := New(srv.URL).PublicRooms(t.Context(), "", "")
	if err != nil || len(p.Items) != 1 || p.Items[0].ID != "r1" || !p.Items[0].Joined {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err := Strict(New(srv.URL)).PublicRooms(t.Context(), "", ""); err == nil {
		t.Error("a strict client took a field that it does not know")
	}
	var heard []string
	l := New(srv.URL).idle(LiveOptions{OnTyping: func(ty Typing) { heard = append(heard, ty.Room) }})
	k := &link{l: l}
	if err := k.take([]byte(`{"type":"typing","data":{"room":"r1","user":{"id":"u"},"fast":true},"v":2}`)); err != nil ||
		len(heard) != 1 {
		t.Errorf("heard %v, %v", heard, err)
	}
	var other []string
	l.o.OnOther = func(typ string, _ json.RawMessage) { other = append(other, typ) }
	if err := k.take([]byte(`{"type":"weather","data":{}}`)); err != nil || len(other) != 1 {
		t.Errorf("of a frame of a later server: %v, %v", other, err)
	}
	for _, bad := range []string{`{`, `{"type":"typing","data":7}`} {
		if k.take([]byte(bad)) == nil {
			t.Errorf("%s was taken for a frame", bad)
		}
	}
}

// TestEventsAreDeliveredInOrder holds what a link delivers of what it hears: each
// event of its rooms once, in order, and nothing of rooms that are left.
func TestEventsAreDeliveredInOrder(t *testing.T) {
	t.Parallel()
	var got []int64
	var resets []string
	l := New("http://localhost").idle(LiveOptions{
		OnEvent: func(e Event) { got = append(got, e.Seq) },
		OnReset: func(room string) { resets = append(resets, room) },
	})
	k := &link{l: l, syncing: true} // a sync is under way: nothing is written
	l.begin("r1", 4)
	for _, seq := range []int64{5, 5, 7, 4, 8} {
		k.event(Event{Room: "r1", Seq: seq})
	}
	k.event(Event{Room: "r2", Seq: 1})
	answer := inbound{Data: json.RawMessage(`{"rooms":[{"room":"r1","head":8,"events":[
		{"room":"r1","seq":5},{"room":"r1","seq":6},{"room":"r1","seq":7},{"room":"r1","seq":8}]}]}`)}
	if err := k.synced(answer); err != nil {
		t.Fatal(err)
	}
	if want := []int64{5, 6, 7, 8}; len(got) != len(want) || got[0] != 5 || got[1] != 6 || got[2] != 7 || got[3] != 8 {
		t.Errorf("delivered %v, want %v", got, want)
	}
	k.joined(RoomState{Room: Room{ID: "r1", Head: 6}}) // of before the hello
	k.event(Event{Room: "r1", Seq: 7})
	if len(got) != 4 {
		t.Errorf("delivered %v again", got[4:])
	}
	k.reset("r1", 20)
	k.event(Event{Room: "r1", Seq: 21})
	if len(resets) != 1 || got[len(got)-1] != 21 {
		t.Errorf("after a reset: %v, %v", resets, got)
	}
}

// TestSendIsTriedAgain holds that Send goes on through a lost connection and an
// answer that is for want of time, always with the same key, and stops at a refusal.
func TestSendIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New("http://localhost").idle(LiveOptions{})
		s := &script{t: t, l: l, answers: []string{
			"lost",
			`{"type":"error","error":{"kind":"unavailable","detail":"x"}}`,
			`{"type":"error","error":{"kind":"rate_limited","detail":"x","retry_after":2}}`,
			`{"type":"ok","data":{"seq":3}}`,
			`{"type":"error","error":{"kind":"forbidden","code":"muted","detail":"you are muted"}}`,
		}}
		s.connect()
		begin := time.Now()
		sent, err := l.Send(t.Context(), Draft{Room: "r1", Text: "x"})
		if err != nil || sent.Seq != 3 || len(s.keys) != 4 || time.Since(begin) < 2*time.Second {
			t.Fatalf("sent %+v, %v, after %d tries and %v", sent, err, len(s.keys), time.Since(begin))
		}
		for _, k := range s.keys {
			if k == "" || k != s.keys[0] {
				t.Errorf("keys %v", s.keys)
			}
		}
		var refused *Error
		if _, err := l.Send(t.Context(), Draft{Room: "r1", Text: "x"}); !errors.As(err, &refused) ||
			refused.Code != CodeMuted || len(s.keys) != 5 {
			t.Errorf("refused: %v after %d tries", err, len(s.keys))
		}
		l.link = nil
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := l.Send(ctx, Draft{Room: "r1", Text: "x"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a connection: %v", err)
		}
	})
}

// idle is a Live that does not connect.
func (c *Client) idle(o LiveOptions) *Live {
	return &Live{c: c, o: o, moved: make(chan struct{}), last: make(map[string]int64), highest: make(map[string]int64)}
}

// A script is a server that gives these answers, one to each request; at "lost" the
// connection ends, and the next begins.
type script struct {
	net.Conn
	t       *testing.T
	l       *Live
	k       *link
	answers []string
	keys    []string // of the drafts that came
}

func (s *script) connect() {
	s.k = &link{l: s.l, nc: s, waiting: make(map[string]chan reply)}
	s.l.link = s.k
	s.l.setState(Online, nil)
}

func (s *script) SetWriteDeadline(time.Time) error { return nil }

func (s *script) Write(b []byte) (int, error) {
	p := ws.Parser{Max: wire.MaxFrame}
	m, _, _, err := p.Next(bytes.Clone(b))
	var req wire.Request
	var draft Draft
	if err := errors.Join(err, wire.Decode(m.Payload, &req), wire.Decode(req.Data, &draft)); err != nil {
		s.t.Errorf("the client sent %q: %v", m.Payload, err)
		return len(b), nil
	}
	s.keys = append(s.keys, draft.Key)
	answer := s.answers[0]
	s.answers = s.answers[1:]
	ended := s.k
	if answer == "lost" {
		s.connect()
		ended.abandon()
		return len(b), nil
	}
	f := inbound{ID: req.ID}
	if err := json.Unmarshal([]byte(answer), &f); err != nil {
		s.t.Error(err)
	}
	s.k.answered(f)
	return len(b), nil
}
