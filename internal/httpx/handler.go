package httpx

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/trace"
)

// HandlerOptions are the options of Handler.
type HandlerOptions struct {
	Log      *slog.Logger
	Metrics  prometheus.Registerer // nil: none
	Listener string                // its name in log and metrics: "public"
	Proxies  Proxies               // trusted proxies
	Origins  []string              // other origins whose pages may send requests that change something
	// origins whose scripts and frames the web client may load, for example a CAPTCHA provider's
	Partners []string
	// limit of concurrent requests, without WebSocket handshakes; further ones are refused; 0: no
	// limit
	MaxConcurrent int
	MaxPerAddr    int           // of these, from one address; 0: all
	Wide          bool          // HSTS includes subdomains
	Fallback      http.Handler  // serves paths outside the API that mux does not: the web client; nil: 404
	Trace         *trace.Tracer // nil: off
}

// Handler returns the handler of a listener: mux with what all requests need. It assigns a request
// id, finds the client's address, sets security headers, refuses cross-origin requests that change
// something, recovers from panics, and writes metrics and logs. Errors of mux itself (404, 405)
// become problem documents too.
func Handler(mux *http.ServeMux, o HandlerOptions) (http.Handler, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	cross := http.NewCrossOriginProtection()
	for _, origin := range o.Origins {
		if err := cross.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("origin %q: %w", origin, err)
		}
	}
	h := &handler{HandlerOptions: o, mux: mux, cross: cross, csp: policy(o.Partners),
		gate: newAdmission(o.MaxConcurrent, o.MaxPerAddr)}
	h.count(o.Metrics)
	return h, nil
}

type handler struct {
	HandlerOptions
	mux      *http.ServeMux
	cross    *http.CrossOriginProtection
	csp      string
	gate     *admission
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func (h *handler) count(reg prometheus.Registerer) {
	listener := prometheus.Labels{"listener": h.Listener}
	h.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total", Help: "HTTP requests by route and status.", ConstLabels: listener,
	}, []string{"code", "method", "route"})
	h.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds", Help: "Time to answer HTTP requests, WebSockets excluded.",
		ConstLabels: listener,
		Buckets:     []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"route"})
	if reg != nil {
		reg.MustRegister(h.requests, h.seconds)
		if h.MaxConcurrent > 0 {
			obs.WatchQueues(reg, h.gate.Queue("http_"+h.Listener))
		}
	}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	m := &request{id: requestID(), addr: h.Proxies.ClientAddr(r), agent: agent(r), header: r.Header, log: h.Log,
		gate: h.gate}
	ctx := with(r.Context(), m)
	if !exempt(r) && r.URL.Path != mqttPath {
		ctx, m.span = h.Trace.Request(ctx, "HTTP", "", r.Header.Get("traceparent"))
	}
	r = r.WithContext(ctx)
	if hasBody(r) {
		m.coming = &coming{ReadCloser: r.Body, left: r.ContentLength}
		r.Body = m.coming
	}
	rec := &recorder{ResponseWriter: w, encrypted: r.TLS != nil, coming: m.coming, closes: r.ProtoMajor == 1}
	h.secure(rec, r, m)
	defer func() {
		if v := recover(); v != nil {
			h.panicked(rec, r, m, v)
		}
		h.done(rec, r, m, time.Since(start))
		linger(rec, r)
	}()
	h.serve(rec, r, m)
}

const (
	// The gateway limits handshakes itself: after a restart, thousands come at once.
	socketPath = "/ws"
	mqttPath   = "/mqtt" // of handshakes, too
)

// Below these paths is what is downloaded: images of firmware, and files of messages. Downloads take long, and have
// limits of their own.
const (
	ImagePath = "/firmware/images/"
	OTAPath   = "/ota/"
	FilePath  = Prefix + "/files/"
)

// exempt reports whether r does not count in the admission: handshakes, downloads, and health checks, which decide
// whether to send more.
func exempt(r *http.Request) bool {
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, ImagePath), strings.HasPrefix(path, OTAPath):
		return true
	case strings.HasPrefix(path, FilePath):
		return strings.HasSuffix(path, "/content") || strings.HasSuffix(path, "/thumbnail")
	default:
		return path == socketPath || path == "/health" || path == "/ready"
	}
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request, m *request) {
	inner, pattern := h.mux.Handler(r)
	op, known := inner.(*route)
	bound(w, r, known && (op.RequestBody != nil || takesBody(r)))
	if err := h.cross.Check(r); err != nil {
		Fail(w, r, domain.Forbidden.Errorf(domain.CodeOrigin,
			"pages of another origin may not do this; an operator can add the origin to ALLOWED_ORIGINS").Because(err))
		return
	}
	if r.Method == http.MethodTrace || r.Method == http.MethodConnect {
		w.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE")
		p := problem(http.StatusMethodNotAllowed, domain.Invalid.Errorf(domain.CodeMethodNotAllowed,
			"%s is not used here", r.Method))
		p.write(w, r)
		return
	}
	if !known && !exempt(r) { // an operation is admitted after its body is read
		leave, err := m.gate.Enter(m.addr)
		if err != nil {
			Fail(w, r, err)
			return
		}
		defer leave()
	}
	if pattern != "" {
		h.mux.ServeHTTP(w, r)
		return
	}
	if h.Fallback != nil && !strings.HasPrefix(r.URL.Path, "/api/") &&
		(r.Method == http.MethodGet || r.Method == http.MethodHead) {
		h.Fallback.ServeHTTP(w, r)
		return
	}
	h.unrouted(w, r, inner)
}

// unrouted answers requests that have no route. It calls mux's own handler only for the status and
// the allowed methods.
func (h *handler) unrouted(w http.ResponseWriter, r *http.Request, inner http.Handler) {
	probe := &probe{header: http.Header{}, status: http.StatusNotFound}
	inner.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		allow := probe.header.Get("Allow")
		w.Header().Set("Allow", allow)
		problem(probe.status, domain.Invalid.Errorf(domain.CodeMethodNotAllowed,
			"%s does not work here; use %s", r.Method, allow)).write(w, r)
		return
	}
	Fail(w, r, domain.NotFound.Errorf(domain.CodeNoRoute, "there is nothing here; /docs lists what there is"))
}

// secure sets the headers of every response.
func (h *handler) secure(w http.ResponseWriter, r *http.Request, m *request) {
	head := w.Header()
	head.Set("X-Request-ID", m.id)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("X-Frame-Options", "DENY")
	head.Set("Permissions-Policy", "camera=(self), geolocation=(), microphone=(self), payment=(), usb=()")
	head.Set("Content-Security-Policy", h.csp)
	if h.Proxies.HTTPS(r) {
		hsts := "max-age=31536000"
		if h.Wide {
			hsts += "; includeSubDomains"
		}
		head.Set("Strict-Transport-Security", hsts)
	}
}

// policy returns the content security policy. Inline styles are allowed, because the client
// positions the rows of long lists. Scripts come only from this server and from partners.
func policy(partners []string) string {
	with, frames := strings.Join(append([]string{""}, partners...), " "), ""
	if len(partners) > 0 {
		frames = "frame-src" + with + "; "
	}
	return "default-src 'none'; script-src 'self'" + with + "; style-src 'self'" + with +
		"; style-src-attr 'unsafe-inline'; " +
		"img-src 'self' data: blob:; font-src 'self'; connect-src 'self'" + with +
		"; manifest-src 'self'; worker-src 'self'; " + frames +
		"media-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

func (h *handler) panicked(w *recorder, r *http.Request, m *request, v any) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	if r.Context().Err() != nil && w.status != 0 {
		return // the client disconnected while the response was written
	}
	h.Log.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("path", shownPath(r)),
		slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	if w.status == 0 && !w.hijacked {
		Fail(w, r.WithContext(context.WithoutCancel(r.Context())), domain.Internal.Errorf("", "something went wrong"))
	}
}

func (h *handler) done(w *recorder, r *http.Request, m *request, took time.Duration) {
	if w.hijacked {
		return // the gateway logs its connections itself
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	route := r.Pattern
	if _, path, ok := strings.Cut(route, " "); ok {
		route = path
	}
	if route == "" {
		route = "other"
	}
	h.requests.WithLabelValues(strconv.Itoa(w.status), method(r.Method), route).Inc()
	traceID := m.span.EndHTTP(m.id, method(r.Method), route, w.status)
	obs.Observe(h.seconds.WithLabelValues(route), took.Seconds(), traceID)
	level := slog.LevelDebug
	if w.status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	} else if strings.HasPrefix(r.URL.Path, "/api/") {
		level = slog.LevelInfo
	}
	if !h.Log.Enabled(r.Context(), level) {
		return
	}
	// The query is left out, because it may contain search terms.
	h.Log.LogAttrs(r.Context(), level, "request", slog.String("method", r.Method), slog.String("path", shownPath(r)),
		slog.Int("status", w.status), slog.Int64("bytes", w.bytes), slog.Duration("took", took),
		slog.String("addr", m.addr.String()), slog.String("user", m.principal.ID))
}

// Below these paths, the next part of a path lets in whoever knows it.
const (
	HookPath   = "/hooks/"
	invitePath = Prefix + "/invites/"
	imagePath  = Prefix + "/previews/"
)

// HookAnswerPath begins the paths by which later answers to slash commands come.
const HookAnswerPath = HookPath + "answers/"

// shownPath returns the path of r for the log. Parts that let whoever knows them in are not shown, whatever becomes of
// the request: the mux may not have seen it, or know no such route.
func shownPath(r *http.Request) string {
	cleaned := path.Clean("/" + r.URL.Path)
	if strings.HasPrefix(cleaned, HookPath) {
		return HookPath + "{secret}"
	}
	if strings.HasPrefix(cleaned, imagePath) {
		return imagePath + "{preview}"
	}
	if after, ok := strings.CutPrefix(cleaned, invitePath); ok {
		_, rest, more := strings.Cut(after, "/")
		if more {
			rest = "/" + rest
		}
		return invitePath + "{code}" + rest
	}
	return r.URL.Path
}

// method returns m, or a fixed value for unknown methods, which would otherwise create any number
// of metrics.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions:
		return m
	}
	return "other"
}

func requestID() string { return domain.NewID("req") }

// A recorder records the status and size of a response.
type recorder struct {
	http.ResponseWriter
	status   int
	bytes    int64
	hijacked bool
	// encrypted: the kernel cannot copy files, and a write that timed out cannot be tried again
	encrypted bool
	coming    *coming // the body of the request; nil: it has none
	closes    bool    // the connection, if the answer comes before all of the body
}

func (w *recorder) WriteHeader(status int) {
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

// begin notes the status of an answer that is about to begin. If a body is still to come, the connection is closed
// with the answer, because http.Server would otherwise wait for the rest first.
func (w *recorder) begin(status int) {
	if w.status != 0 || status < http.StatusOK {
		return
	}
	w.status = status
	if w.closes && w.coming.unread() {
		w.Header().Set("Connection", "close")
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	n := 0
	for { // in steps, so that slow clients that keep reading get everything
		step := b[n:min(n+writeStep, len(b))]
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeStall))
		m, err := w.ResponseWriter.Write(step)
		n += m
		w.bytes += int64(m)
		if err != nil || n == len(b) {
			return n, err
		}
	}
}

// ReadFrom is Write of what r has. The kernel copies a file to a connection that is not encrypted.
func (w *recorder) ReadFrom(r io.Reader) (n int64, err error) {
	left := int64(math.MaxInt64)
	limited, ok := r.(*io.LimitedReader)
	if ok { // the kernel copies through one of these, not through two
		r, left = limited.R, limited.N
		defer func() { limited.N -= n }()
	}
	if _, file := r.(*os.File); !file || w.encrypted { // what waits for r is no stall of the client
		return io.Copy(struct{ io.Writer }{w}, io.LimitReader(r, left))
	}
	w.begin(http.StatusOK)
	for left > 0 {
		step := &io.LimitedReader{R: r, N: min(left, copySteps*writeStep)}
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeStall))
		m, err := io.Copy(w.ResponseWriter, step)
		n, left, w.bytes = n+m, left-m, w.bytes+m
		if errors.Is(err, os.ErrDeadlineExceeded) && m >= writeStep {
			continue // the client is slow, and keeps reading
		}
		if err != nil || step.N > 0 { // it failed, or r is at its end
			return n, err
		}
	}
	return n, nil
}

func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.hijacked = err == nil
	return c, rw, err
}

// Unwrap makes the connection available to http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A probe discards a response but for status and header.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(status int)      { p.status = status }
