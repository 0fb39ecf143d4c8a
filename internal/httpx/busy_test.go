package httpx

import (
	"net/http"
	"net/http/httptest"
	"testing"

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
	for _, path := range []string{"/health", "/ws"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	}
	reg := prometheus.NewRegistry()
	h, err := Handler(mux, HandlerOptions{Metrics: reg, Listener: "public", AtOnce: 2})
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
	for _, path := range []string{"/health", "/ws"} {
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
