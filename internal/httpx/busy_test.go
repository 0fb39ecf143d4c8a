package httpx

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// More requests at once than are allowed are refused with a time to come back;
// health is told, and what is under way is finished.
func TestTooManyRequestsAtOnce(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		w.WriteHeader(http.StatusNoContent)
	})
	free := []string{"/health", "/ws", FilePath + "fil_1/content", FilePath + "fil_1/thumbnail", ImagePath + "1",
		OTAPath + "1"}
	for _, path := range free {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	}
	reg := prometheus.NewRegistry()
	h, err := Handler(mux, HandlerOptions{Metrics: reg, Listener: "public", MaxConcurrent: 2})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
		return rec
	}
	done := make(chan int, 2)
	for range 2 {
		go func() { done <- ask("/slow").Code }()
		<-entered
	}
	if rec := ask("/slow"); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "2" {
		t.Errorf("one too many: %d, Retry-After %q", rec.Code, rec.Header().Get("Retry-After"))
	}
	for _, path := range free {
		if rec := ask(path); rec.Code != http.StatusNoContent {
			t.Errorf("%s meanwhile: %d", path, rec.Code)
		}
	}
	full := testutil.CollectAndCount(reg, "queue_full_total")
	close(release)
	for range 2 {
		if code := <-done; code != http.StatusNoContent {
			t.Errorf("one under way: %d", code)
		}
	}
	go func() { <-entered }()
	if rec := ask("/slow"); rec.Code != http.StatusNoContent || full != 1 {
		t.Errorf("afterwards: %d; %d metrics", rec.Code, full)
	}
}

// One address takes only its part of the places, and bodies that are still on their
// way take none.
func TestRequestsOfOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		w.WriteHeader(http.StatusNoContent)
	})
	h, err := Handler(mux, HandlerOptions{MaxConcurrent: 10, MaxPerAddr: 2,
		Proxies: Proxies{netip.MustParsePrefix("192.0.2.0/24")}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(client string) int {
		r := httptest.NewRequest(http.MethodGet, "/slow", nil)
		r.RemoteAddr = "192.0.2.9:1234"
		r.Header.Set("X-Forwarded-For", client)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec.Code
	}
	done := make(chan int, 3)
	for range 2 {
		go func() { done <- ask("2001:db8::1") }()
		<-entered
	}
	if code := ask("2001:db8::2"); code != http.StatusServiceUnavailable {
		t.Errorf("a third request of one household: %d", code)
	}
	go func() { done <- ask("198.51.100.7") }() // behind the same proxy
	<-entered
	close(release)
	for range 3 {
		if code := <-done; code != http.StatusNoContent {
			t.Errorf("one under way: %d", code)
		}
	}
}

// What lets in whoever knows it is in no line of the log, whatever becomes of a request for it: one that is refused
// while the server is busy, one of a method that it has not, and one for a path that is not there.
func TestSecretsInPathsAreNotLogged(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	wait := func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-release
	}
	mux.HandleFunc("POST "+HookPath+"{secret}", wait)
	mux.HandleFunc("POST "+Prefix+"/invites/{code}/accept", wait)
	var logged bytes.Buffer
	h, err := Handler(mux, HandlerOptions{MaxConcurrent: 1,
		Log: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path string) int {
		r := httptest.NewRequest(method, "/", nil)
		r.URL.Path = path
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec.Code
	}
	done := make(chan int)
	go func() { done <- ask(http.MethodPost, HookPath+"s3cret") }()
	<-entered
	paths := []string{HookPath + "s3cret", HookPath + "s3cret/", HookPath + "s3cret/more", "/" + HookPath + "s3cret",
		"/x/.." + HookPath + "s3cret", Prefix + "/invites/s3cret", Prefix + "/invites/s3cret/accept",
		"/" + Prefix + "/invites/s3cret/accept"}
	for _, path := range paths {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodHead, http.MethodTrace} {
			if code := ask(method, path); code < 300 {
				t.Errorf("%s %s while the server is busy: %d", method, path, code)
			}
		}
	}
	close(release)
	<-done
	text := logged.String()
	if n := strings.Count(text, `"msg":"request"`); strings.Contains(text, "s3cret") || n != 4*len(paths)+1 {
		t.Errorf("%d requests are logged:\n%s", n, text)
	}
	for _, want := range []string{`"level":"WARN","msg":"request","method":"POST","path":"/hooks/{secret}","status":503`,
		`"path":"/api/v1/invites/{code}"`, `"path":"/api/v1/invites/{code}/accept"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// stalled counts the deadlines that it is given.
type stalled struct {
	http.ResponseWriter
	deadlines int
}

func (s *stalled) SetWriteDeadline(time.Time) error { s.deadlines++; return nil }

// Who reads a long answer slowly is given time for each part of it.
func TestWritesHaveTimeByProgress(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /long", func(w http.ResponseWriter, _ *http.Request) {
		_,
			_ = w.Write(make([]byte, 10*writeStep+1))
	})
	h, err := Handler(mux, HandlerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	s := &stalled{ResponseWriter: rec}
	h.ServeHTTP(s, httptest.NewRequest(http.MethodGet, "/long", nil))
	if s.deadlines != 11 || rec.Body.Len() != 10*writeStep+1 {
		t.Errorf("%d deadlines, %d bytes; want one for each of 11 steps", s.deadlines, rec.Body.Len())
	}
}
