package obs

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Health says whether the process lives, and whether it is ready for work.
// Its zero value lives, and is ready for nothing.
type Health struct {
	ready  atomic.Bool
	mu     sync.Mutex
	checks []check
	hints  []check
}

// PublicError is an error whose text may be read by whoever asks whether the server is ready.
type PublicError string

func (e PublicError) Error() string { return string(e) }

type check struct {
	name string
	ask  func(context.Context) error
}

// Check adds a question whose answer readiness needs. Ask is called at each
// request and must honour its context.
func (h *Health) Check(name string, ask func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, check{name, ask})
}

// Hint adds a question whose answer is told, and is in nobody's way: work is still
// wanted here, though it goes less well.
func (h *Health) Hint(name string, ask func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hints = append(h.hints, check{name, ask})
}

// SetReady says whether new work is wanted: from the end of the start until the
// beginning of the stop.
func (h *Health) SetReady(ready bool) { h.ready.Store(ready) }

// Ready returns what is in the way of readiness, by name; empty if nothing is.
func (h *Health) Ready(ctx context.Context) map[string]string {
	bad := map[string]string{}
	if !h.ready.Load() {
		bad["server"] = "starting or stopping"
	}
	h.mu.Lock()
	checks := h.checks
	h.mu.Unlock()
	ask(ctx, checks, bad)
	return bad
}

// Degraded returns what goes less well, by name; empty if nothing does.
func (h *Health) Degraded(ctx context.Context) map[string]string {
	bad := map[string]string{}
	h.mu.Lock()
	hints := h.hints
	h.mu.Unlock()
	ask(ctx, hints, bad)
	return bad
}

func ask(ctx context.Context, checks []check, bad map[string]string) {
	for _, c := range checks {
		if err := c.ask(ctx); err != nil {
			bad[c.name] = "does not answer" // the cause may name hosts and files
			var public PublicError
			if errors.As(err, &public) {
				bad[c.name] = string(public)
			}
		}
	}
}

const checkTime = 2 * time.Second

// ServeHealth is GET /health: the process answers. A supervisor restarts it
// only if this fails.
func (h *Health) ServeHealth(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"status": "ok"})
}

// ServeReady is GET /ready: 200 if new work is wanted here, 503 if not.
func (h *Health) ServeReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTime)
	defer cancel()
	if bad := h.Ready(ctx); len(bad) > 0 {
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, map[string]any{"status": "not ready", "checks": bad})
		return
	}
	body := map[string]any{"status": "ready"}
	if bad := h.Degraded(ctx); len(bad) > 0 {
		body["degraded"] = bad
	}
	answer(w, http.StatusOK, body)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
