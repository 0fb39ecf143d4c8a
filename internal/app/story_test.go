package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// The whole story on a whole server: people register, make a room, invite each
// other, talk live, edit, search, and find everything after a restart.
func TestStory(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start()
		ctx := t.Context()
		ann, bob, carl := s.User("ann"), s.User("bob"), s.User("carl")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Operations"})
		if err != nil {
			t.Fatal(err)
		}
		events := make(chan client.Event, 1000)
		joined := make(chan client.RoomState, 1)
		bobs := bob.Live(ctx, client.LiveOptions{OnEvent: func(e client.Event) { events <- e },
			OnJoined: func(r client.RoomState) { joined <- r }})
		t.Cleanup(bobs.Close)
		if err := bobs.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		anns := ann.Live(ctx, client.LiveOptions{})
		t.Cleanup(anns.Close)
		var last int64 // number of the last message

		testkit.Step(t, "bob joins by an invitation, and not without", func(t *testing.T) {
			if _, err := bob.Room(ctx, room.ID); err == nil {
				t.Error("bob reads a private room")
			}
			invite, err := ann.Invite(ctx, room.ID, 3600, 1)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bob.Accept(ctx, invite.Code); err != nil {
				t.Fatal(err)
			}
			if got := next(t, joined); got.ID != room.ID {
				t.Errorf("joined %+v", got)
			}
		})
		testkit.Step(t, "what ann sends arrives live, once and in order", func(t *testing.T) {
			for i := range 20 {
				if _, err := anns.Send(ctx, client.Draft{Room: room.ID, Key: fmt.Sprint("k", i),
					Text: fmt.Sprintf("message **%d** for @bob", i)}); err != nil {
					t.Fatal(err)
				}
			}
			again, err := ann.Send(ctx, client.Draft{Room: room.ID, Key: "k3", Text: "another text under the same key"})
			if err != nil || again.Message.Text != "message **3** for @bob" {
				t.Errorf("the same key again: %+v, %v", again, err)
			}
			for range 20 {
				e := created(t, events)
				if last != 0 && e.Seq != last+1 {
					t.Errorf("%d after %d", e.Seq, last)
				}
				last = e.Seq
			}
			if _, err := anns.Edit(ctx, room.ID, last, "changed to Übermut"); err != nil {
				t.Fatal(err)
			}
			if e := next(t, events); e.Type != "message.edited" || e.Message.Text != "changed to Übermut" {
				t.Errorf("got %+v", e)
			}
		})
		testkit.Step(t, "members alone find it", func(t *testing.T) {
			if n := found(t, bob, "ubermut"); n != 1 {
				t.Errorf("bob finds %d", n)
			}
			if p, err := carl.Search(ctx, "message", "newest", ""); err != nil || len(p.Items) != 0 {
				t.Errorf("carl, who is in no room, finds %+v, %v", p, err)
			}
		})
		testkit.Step(t, "bob reads a part of it", func(t *testing.T) {
			unread(t, bob, room.ID, 20)
			if _, err := bob.MarkRead(ctx, room.ID, last-5); err != nil {
				t.Fatal(err)
			}
			unread(t, bob, room.ID, 5)
		})
		bobs.Close()
		anns.Close()
		s.Stop()

		s = start()
		testkit.Step(t, "after a restart, all is there", func(t *testing.T) {
			back := client.New(s.URL)
			if err := back.SignIn(ctx, "bob", live.Password); err != nil {
				t.Fatal(err)
			}
			unread(t, back, room.ID, 5)
			r, err := back.Events(ctx, room.ID, 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range r.Events {
				if e.Seq != int64(i)+1 {
					t.Errorf("event %d has number %d", i, e.Seq)
				}
			}
			if n := found(t, back, "ubermut"); n != 1 {
				t.Errorf("after the restart bob finds %d", n)
			}
		})
	})
}

// found returns how many messages are found, once there is one: the index may follow by a moment.
func found(t *testing.T, c *client.Client, q string) (n int) {
	t.Helper()
	wait(t, func() bool {
		p, err := c.Search(t.Context(), q, "newest", "")
		if err != nil {
			t.Fatal(err)
		}
		n = len(p.Items)
		return n > 0
	})
	return n
}

func unread(t *testing.T, c *client.Client, room string, want int) {
	t.Helper()
	r, err := c.Room(t.Context(), room)
	if err != nil || r.Unread != want {
		t.Errorf("%d unread, want %d (%v)", r.Unread, want, err)
	}
}

const patience = 2 * time.Minute

// comes waits until ok, and reports false if that takes longer than patience.
func comes(ok func() bool) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

func next[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("nothing came within %v", patience)
	}
	return v
}

// hears connects c, and returns the connection and the events that come by it.
func hears(t *testing.T, c *client.Client) (*client.Live, <-chan client.Event) {
	t.Helper()
	events := make(chan client.Event, 100)
	l := c.Live(t.Context(), client.LiveOptions{OnEvent: func(e client.Event) { events <- e }})
	t.Cleanup(l.Close)
	must(t, l.Ready(t.Context()))
	return l, events
}

func created(t *testing.T, events <-chan client.Event) client.Event {
	t.Helper()
	for {
		if e := next(t, events); e.Type == "message.created" {
			return e
		}
	}
}

func wait(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it did not happen within %v", patience)
		}
	}
}

// What a process says of itself is on the operator's listener, and nowhere else.
func TestCHK_AP_05_Listeners(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "AUTH_BIND_ADDR=127.0.0.1:0")
	operator := "http://" + s.Operator
	account := "http://" + s.Auth
	for _, tt := range []struct {
		url  string
		code int
	}{
		{s.URL + "/health", 200}, {s.URL + "/ready", 200}, {operator + "/health", 200}, {operator + "/ready", 200},
		{account + "/health", 200},
		{operator + "/metrics", 200}, {operator + "/stats", 200}, {operator + "/debug/pprof/", 200},
		{s.URL + "/api/v1/server", 200}, {account + "/api/v1/server", 200}, {s.URL + "/openapi.json", 200},
		{s.URL + "/docs", 200},
		{s.URL + "/api/v1/rooms", 401}, {account + "/api/v1/rooms", 404}, {s.URL + "/ws", 426}, {account + "/ws", 404},
		{s.URL + "/problems/rate_limited", 200},
	} {
		if code, body := get(t, tt.url); code != tt.code {
			t.Errorf("%s: %d, want %d: %.200s", tt.url, code, tt.code, body)
		}
	}
	for _, path := range []string{"/metrics", "/stats", "/debug/pprof/"} { // CHK-AP-05
		if _, body := get(t, s.URL+path); strings.Contains(body, "go_goroutines") || strings.Contains(body, "connections") ||
			strings.Contains(body, "goroutine") {
			t.Errorf("%s is public: %.200s", path, body)
		}
	}
	if _, body := get(t, operator+"/metrics"); !strings.Contains(body,
		`http_requests_total{code="200",listener="public",method="GET",route="/api/v1/server"} 1`) {
		t.Error("requests are not counted by route")
	}
}

// A process opens only the doors that its roles name.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_ROLES=auth", "AUTH_BIND_ADDR=127.0.0.1:0")
	if s.Public != "" {
		t.Errorf("the public listener is open: %s", s.Public)
	}
	if code, _ := get(t, "http://"+s.Auth+"/api/v1/server"); code != 200 {
		t.Errorf("the account API answers %d", code)
	}
	s = live.Start(t, testkit.SQLite(t), "UNHIDRA_ROLES=gateway")
	if code, _ := get(t, s.URL+"/api/v1/server"); code != 404 || s.Auth != "" {
		t.Errorf("without the role, the account API answers %d (%s)", code, s.Auth)
	}
	if code, _ := get(t, s.URL+"/api/v1/rooms"); code != 401 {
		t.Errorf("rooms: %d", code)
	}
}

// The document and the server cannot differ, but the document can be poor.
func TestEveryOperationIsDescribed(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	_, body := get(t, s.URL+"/openapi.json")
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string `json:"summary"`
			Security    []any  `json:"security"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(body, `"int32"`) {
		t.Error("it has numbers of format int32, which is signed: a uint32 needs format:\"int64\"")
	}
	open := map[string]bool{"get-server": true, "get-avatar": true, "get-preview-image": true, "claim-device-key": true,
		"open-end-digests": true, "end-digests": true} // the last two ask for the signature of a link
	seen := map[string]string{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if op.OperationID == "" || op.Summary == "" {
				t.Errorf("%s %s has no name or summary", method, path)
			}
			if other := seen[op.OperationID]; other != "" {
				t.Errorf("%s %s and %s have the same id %s", method, path, other, op.OperationID)
			}
			seen[op.OperationID] = method + " " + path
			if len(op.Security) == 0 && !open[op.OperationID] && !strings.HasPrefix(path, "/api/v1/auth/") {
				t.Errorf("%s %s (%s) asks for nobody signed in", method, path, op.OperationID)
			}
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d operations", len(seen))
	}
}

// CHK-AU-02: passwords and tokens are in no log.
func TestCHK_AU_02_NoSecretsInTheLog(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	s := live.StartLogged(t, testkit.SQLite(t),
		slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	c := s.User("ann")
	tokens := c.Tokens()
	if _, err := c.Me(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := c.Live(t.Context(), client.LiveOptions{})
	if err := l.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.Close()
	bad := client.New(s.URL)
	if err := bad.SignIn(t.Context(), "ann", "wrong-and-secret-4711"); err == nil {
		t.Error("signed in with a wrong password")
	}
	s.Stop()
	for _, secret := range []string{live.Password, tokens.Access, tokens.Refresh, "wrong-and-secret-4711"} {
		if strings.Contains(logged.String(), secret) {
			t.Errorf("a secret is in the log")
		}
	}
	if !strings.Contains(logged.String(), "/api/v1/me") {
		t.Error("the log says nothing")
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// TestSignOut: the Go client ends its session, and the session's tokens are good
// for nothing.
func TestSignOut(t *testing.T) {
	t.Parallel()
	c := live.Start(t, testkit.SQLite(t)).User("ann")
	kept := c.Tokens()
	// Without the refresh token nothing would end, which an answer must not hide.
	err := c.Do(t.Context(), "POST", "/auth/sign-out", map[string]string{}, nil)
	if codeOf(err) != client.CodeInvalidField {
		t.Errorf("signed out by the access token alone: %v", err)
	}
	if err := c.SignOut(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.SetTokens(kept)
	if _, err := c.Me(t.Context()); err == nil {
		t.Error("a session that has ended goes on")
	}
}
