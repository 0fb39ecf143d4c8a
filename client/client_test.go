package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/ws"
)

// TestRefreshIsDoneOnce: many calls find the token refused at the same time; a
// refresh token works only once, so that one of them refreshes for all.
func TestRefreshIsDoneOnce(t *testing.T) {
	t.Parallel()
	var refreshes atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/auth/refresh" {
			n := refreshes.Add(1)
			_ = json.NewEncoder(w).Encode(map[string]any{
				"state": "complete", "access_token": fmt.Sprint("new", n), "expires": time.Now().Add(time.Hour),
				"refresh_token": "r2",
			})
			return
		}
		if r.Header.Get("Authorization") != "Bearer new1" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"kind":"unauthorized","code":"bad_token","detail":"this token has ended"}`))
			return
		}
		_, _ = w.Write([]byte(`{"items":[{"id":"r1"}]}`))
	}))
	defer srv.Close()
	c := New(srv.URL)
	c.SetTokens(Tokens{Access: "old", Refresh: "r1"})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			rooms, err := c.Rooms(t.Context())
			if err != nil || len(rooms) != 1 || rooms[0].ID != "r1" {
				t.Errorf("got %v, %v", rooms, err)
			}
		})
	}
	wg.Wait()
	if refreshes.Load() != 1 || c.Tokens().Refresh != "r2" {
		t.Errorf("%d refreshes, then %+v", refreshes.Load(), c.Tokens())
	}
}

// TestRefreshOutlivesItsAsker: who asked for a refresh gives up before the answer;
// the session goes on with what the answer brought.
func TestRefreshOutlivesItsAsker(t *testing.T) {
	t.Parallel()
	asked := make(chan context.CancelFunc, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/auth/refresh" {
			(<-asked)()
			_ = json.NewEncoder(w).Encode(map[string]any{
				"state": "complete", "access_token": "new", "expires": time.Now().Add(time.Hour), "refresh_token": "r2",
			})
			return
		}
		_, _ = w.Write([]byte(`{"items":[]}`))
	}))
	defer srv.Close()
	c := New(srv.URL)
	c.SetTokens(Tokens{Access: "old", Expires: time.Now(), Refresh: "r1"})
	ctx, cancel := context.WithCancel(t.Context())
	asked <- cancel
	if _, err := c.Rooms(ctx); err == nil {
		t.Error("somebody who gave up got an answer")
	}
	if got := c.Tokens(); got.Refresh != "r2" {
		t.Errorf("the session has %+v", got)
	}
}

func TestProblemsBecomeErrors(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		if r.URL.Path == "/api/v1/rooms" {
			_, _ = w.Write([]byte(`{"kind":"invalid","code":"invalid_field","detail":"too long","retry_after":1.5,"errors":[{"pointer":"/name","detail":"too long"}]}`))
		}
	}))
	defer srv.Close()
	c := New(srv.URL)
	_, err := c.CreateRoom(t.Context(), NewRoom{})
	var e *Error
	if !errors.As(err, &e) || e.Kind != "invalid" || e.Status != 400 || e.RetryAfter != 1500*time.Millisecond ||
		len(e.Fields) != 1 {
		t.Errorf("got %+v", err)
	}
	if err := c.Join(t.Context(), "r1"); !errors.As(err, &e) || e.Kind != "internal" {
		t.Errorf("without a problem document: %+v", err)
	}
}

// TestWhetherToComeBack holds the table of docs/protocol.md.
func TestWhetherToComeBack(t *testing.T) {
	t.Parallel()
	refused := func(status int, body string) error { return &ws.Refused{Status: status, Body: []byte(body)} }
	for _, c := range []struct {
		err  error
		want plan
	}{
		{errors.New("connection reset"), plan{}},
		{refused(401, `{"kind":"unauthorized","detail":"x"}`), plan{token: true}},
		{refused(403, ""), plan{final: true}},
		{refused(426, ""), plan{final: true}},
		{refused(429, `{"kind":"rate_limited","detail":"x","retry_after":3}`), plan{wait: 3 * time.Second}},
		{refused(503, ""), plan{}},
		{&closedBy{1011, "x"}, plan{}},
		{&closedBy{1012, "4"}, plan{wait: 4 * time.Second}},
		{&closedBy{4400, "x"}, plan{final: true}},
		{&closedBy{4401, "x"}, plan{token: true}},
		{&closedBy{4403, "x"}, plan{final: true}},
		{&closedBy{4408, "x"}, plan{}},
		{&closedBy{4410, "x"}, plan{final: true}},
		{&closedBy{4429, "2"}, plan{wait: 2 * time.Second}},
		{&closedBy{4430, "x"}, plan{}},
	} {
		if got := after(c.err); got != c.want {
			t.Errorf("%v: got %+v, want %+v", c.err, got, c.want)
		}
	}
}

func TestPositions(t *testing.T) {
	t.Parallel()
	l := &Live{last: map[string]int64{"known": 5}, highest: map[string]int64{}}
	if l.begin("known", 9) || l.begin("new", 3) {
		t.Error("a log that has grown was taken for one that was restored")
	}
	for _, c := range []struct {
		room string
		seq  int64
		want step
	}{
		{"new", 3, isKnown}, {"new", 4, isNext}, {"new", 4, isKnown}, {"new", 6, isAhead},
		{"known", 6, isNext}, {"other", 1, isKnown},
	} {
		if got := l.advance(Event{Room: c.room, Seq: c.seq}); got != c.want {
			t.Errorf("%s %d: got %v, want %v", c.room, c.seq, got, c.want)
		}
	}
	if got := fmt.Sprint(l.behind()); got != "map[known:6 new:4]" {
		t.Errorf("behind are %s", got)
	}
	if !l.begin("known", 2) {
		t.Error("a log that is shorter than before was not noticed")
	}
}
