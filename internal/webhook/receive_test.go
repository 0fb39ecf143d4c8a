package webhook

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// oneHook is a store with one webhook, whose secret is "right".
type oneHook struct{ Store }

func (oneHook) HookByHash(_ context.Context, hash []byte) (domain.Hook, error) {
	if string(hash) != "right" {
		return domain.Hook{}, domain.NotFound.Errorf(domain.CodeNoHook, "there is no such webhook")
	}
	return domain.Hook{ID: "hok_1", Room: "rom_1"}, nil
}

func (oneHook) NoteHook(context.Context, string, string, time.Time) error { return nil }

// room takes all messages.
type room struct{ Chat }

func (room) Send(context.Context, domain.Principal, domain.Draft) (domain.Event, error) {
	return domain.Event{}, nil
}

func service(t *testing.T) (*Service, http.Handler) {
	t.Helper()
	now := time.Now()
	s := New(Deps{Store: oneHook{}, Chat: room{}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
		Hash: func(secret string) []byte { return []byte(secret) }})
	mux := http.NewServeMux()
	s.Handle(mux)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<!doctype html>")) })
	h, err := httpx.Handler(mux, httpx.HandlerOptions{Fallback: page})
	if err != nil {
		t.Fatal(err)
	}
	return s, h
}

func post(ctx context.Context, h http.Handler, secret string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, httpx.HookPath+secret, strings.NewReader(`{"text":"hi"}`))
	h.ServeHTTP(rec, r.WithContext(ctx))
	return rec
}

// Programs behind one address, as a proxy's, have one limit of guesses: an old address that one of them still uses
// stops no other.
func TestWrongAddressesHoldBackNoWebhookThatIsRight(t *testing.T) {
	t.Parallel()
	_, h := service(t)
	refused := 0
	for range guessesPerMinute + 10 {
		switch rec := post(t.Context(), h, "wrong"); rec.Code {
		case http.StatusTooManyRequests:
			refused++
			if !strings.Contains(rec.Body.String(), "there is no such webhook") {
				t.Errorf("a wrong address is told %s", rec.Body)
			}
		case http.StatusNotFound:
		default:
			t.Fatalf("a wrong address: %d %s", rec.Code, rec.Body)
		}
	}
	if refused != 10 {
		t.Errorf("%d of %d wrong addresses were too many", refused, guessesPerMinute+10)
	}
	for i := range postsAtOnce + 1 {
		want := http.StatusOK
		if i == postsAtOnce {
			want = http.StatusTooManyRequests
		}
		if rec := post(t.Context(), h, "right"); rec.Code != want {
			t.Errorf("%d by the right address: %d %s", i, rec.Code, rec.Body)
		}
	}
}

// Few bodies are parsed at once. Others wait for a place, and who does not wait frees what it has.
func TestFewBodiesAreParsedAtOnce(t *testing.T) {
	t.Parallel()
	s, h := service(t)
	for range parsedAtOnce {
		s.parsing <- struct{}{}
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if rec := post(gone, h, "right"); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("one that does not wait: %d %s", rec.Code, rec.Body)
	}
	waited := make(chan int)
	go func() { waited <- post(t.Context(), h, "right").Code }()
	<-s.parsing
	if code := <-waited; code != http.StatusOK || len(s.parsing) != parsedAtOnce-1 {
		t.Errorf("one that waited: %d, and %d places are taken", code, len(s.parsing))
	}
}

// keepsFailure is a store that keeps what was wrong.
type keepsFailure struct {
	Store
	kept string
}

func (k *keepsFailure) NoteHook(_ context.Context, _, failure string, _ time.Time) error {
	k.kept = failure
	return nil
}

// Of what was wrong so many bytes are kept, and no half of a character.
func TestWhatWasWrongIsCutShort(t *testing.T) {
	t.Parallel()
	k := &keepsFailure{}
	s := New(Deps{Store: k, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	whole := strings.Repeat("x", domain.MaxFailure)
	for said, want := range map[string]string{whole: whole, whole + "y": whole, whole[1:] + "ä": whole[1:]} {
		if s.note(t.Context(), domain.Hook{ID: "hok_1"}, said); k.kept != want {
			t.Errorf("of %d bytes %d are kept: %q", len(said), len(k.kept), k.kept)
		}
	}
}

// A proxy that redirects a POST by 301 makes a GET of it. Its sender is not told that all is well.
func TestWhatPostsNothingIsRefused(t *testing.T) {
	t.Parallel()
	_, h := service(t)
	for _, path := range []string{httpx.HookPath + "right", httpx.HookPath + "wrong", httpx.HookAnswerPath + "right"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut} {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, path, nil))
			if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != http.MethodPost ||
				!strings.HasPrefix(rec.Body.String(), "invalid_method: ") && method != http.MethodHead {
				t.Errorf("%s %s: %d %s", method, path, rec.Code, rec.Body)
			}
		}
	}
}

// What is wrong with a packed body is that it is packed, not that it is no JSON.
func TestAPackedBodyIsToldSo(t *testing.T) {
	t.Parallel()
	_, h := service(t)
	for packed, want := range map[string]int{"gzip": 400, "identity": 200, "": 200} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, httpx.HookPath+"right",
			strings.NewReader(`{"text":"x"}`))
		r.Header.Set("Content-Encoding", packed)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != want || want != 200 && !strings.Contains(rec.Body.String(), "invalid_payload: the body is packed") {
			t.Errorf("%q: %d %s", packed, rec.Code, rec.Body)
		}
	}
}

// alerts is a storm of so many alerts by one webhook, as Alertmanager sends it. It returns how many got which status.
func alerts(t *testing.T, h http.Handler, many int, agent string) map[int]int {
	t.Helper()
	got := map[int]int{}
	for range many {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, httpx.HookPath+"right",
			strings.NewReader(`{"text":"fire"}`))
		r.Header.Set("User-Agent", agent)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		got[rec.Code]++
		if rec.Code != http.StatusOK && (rec.Header().Get("Retry-After") == "" ||
			!strings.HasPrefix(rec.Body.String(), "rate_limited: a webhook takes one message a second, and 60 at once")) {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	return got
}

// Of a storm nothing is lost up to a minute's worth, and Alertmanager, which gives up at 429, is told to try again.
func TestAStormOfAlertsIsTakenOrTriedAgain(t *testing.T) {
	t.Parallel()
	for agent, status := range map[string]int{"Alertmanager/0.28.0": 503, "Grafana": 429} {
		s, h := service(t)
		k := &keepsFailure{Store: oneHook{}}
		s.Store = k
		if got := alerts(t, h, postsAtOnce+5, agent); got[200] != 60 || got[status] != 5 {
			t.Errorf("%s: %v", agent, got)
		}
		if !strings.HasPrefix(k.kept, "rate_limited: ") {
			t.Errorf("admins are shown %q", k.kept)
		}
	}
}
