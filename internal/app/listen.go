package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/obs"
)

// Times of the HTTP listeners. Bodies and answers are small; WebSockets leave
// these servers at their handshake, and the gateway sets its own.
const (
	headerTime = 5 * time.Second
	writeTime  = time.Minute
	idleTime   = 2 * time.Minute
	maxHeader  = 32 << 10
	// requestsAtOnce bounds what requests may hold of memory, and how long a queue
	// for the database they make.
	requestsAtOnce = 1024
	// connsFactor is how many connections of every kind an address may have open for
	// each WebSocket that it may: browsers open up to six.
	connsFactor = 4
)

// Listen opens addr, which setting chose. Its errors say what to do.
func Listen(ctx context.Context, addr, setting string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use by another program, perhaps by a server that runs already; "+
			"stop it, or choose another by %s: %w", addr, setting, err)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("this user may not open %s; give the program the right "+
			"(setcap cap_net_bind_service=+ep, or AmbientCapabilities in the systemd unit), "+
			"or choose a port above 1023 by %s: %w", addr, setting, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is no address of this machine; see %s: %w", addr, setting, err)
	case err != nil:
		return nil, fmt.Errorf("open %s (%s): %w", addr, setting, err)
	}
	return l, nil
}

// serve returns what answers requests on l, encrypted if there is a secure. At
// the end it lets those under way finish.
func (s *server) serve(name string, l net.Listener, secure *tls.Config, h http.Handler) func(context.Context) error {
	log, grace := s.logs.Part("http"), s.Config.ShutdownTimeout
	srv := &http.Server{
		Handler: h, TLSConfig: secure, MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: headerTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		DisableGeneralOptionsHandler: true, // it would wait for the body of an OPTIONS * for good
		ErrorLog:                     slog.NewLogLogger(log.With("listener", name).Handler(), slog.LevelDebug),
	}
	if name == "operator" { // gRPC comes by HTTP/2, and without TLS there
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetHTTP1(true)
		srv.Protocols.SetUnencryptedHTTP2(true)
		srv.RegisterOnShutdown(s.modules.inference.Stop)
	}
	var fresh newConns
	limiter := newConnLimiter(connsFactor*s.Config.ConnsPerAddr, s.Config.TrustedProxies)
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		fresh.track(c, state)
		limiter.track(c, state)
	}
	srv.RegisterOnShutdown(fresh.close)
	return func(ctx context.Context) error {
		failed := make(chan error, 1)
		go func() {
			if secure == nil {
				failed <- srv.Serve(l)
				return
			}
			failed <- srv.ServeTLS(l, "", "") // HTTP/2 too, and HTTP/1.1 for WebSockets
		}()
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
		}
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if err := srv.Shutdown(stop); err != nil {
			_ = srv.Close()
			return fmt.Errorf("requests were still under way: %w", err)
		}
		return nil
	}
}

// newConns are connections that no request has come on yet. Browsers open them in advance,
// and http.Server waits at its end for five seconds whether one comes.
type newConns struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// newConnGrace is for a request that is on its way when the server ends.
const newConnGrace = 200 * time.Millisecond

// track is a server's ConnState.
func (n *newConns) track(c net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if state != http.StateNew {
		delete(n.conns, c)
		return
	}
	if n.conns == nil {
		n.conns = make(map[net.Conn]struct{})
	}
	n.conns[c] = struct{}{}
}

// close closes them after a moment.
func (n *newConns) close() {
	time.Sleep(newConnGrace)
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		_ = c.Close()
	}
}

// operator returns what the operator's listener serves. Whoever reaches it may
// read everything there, so it is kept off the network. To change something takes the server's key.
func operator(reg *prometheus.Registry, health *obs.Health, stats http.HandlerFunc, levels logLevels) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", obs.Metrics(reg))
	mux.HandleFunc("GET /stats", stats)
	mux.HandleFunc("GET "+LogLevelsPath, levels.get)
	mux.HandleFunc("PATCH "+LogLevelsPath, levels.patch)
	mux.HandleFunc("DELETE "+LogLevelsPath, levels.reset)
	mux.HandleFunc("GET /health", health.ServeHealth)
	mux.HandleFunc("GET /ready", health.ServeReady)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// onlyHosts refuses requests by a name that is neither in hosts nor one that a web
// page's owner cannot have: a page can make its own name lead to this machine, and
// then read what a browser on it may read (DNS rebinding).
func onlyHosts(hosts []string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ownHost(hosts, r.Host) {
			http.Error(w, "this name is not known here; ask by an address, or add it to UNHIDRA_OPERATOR_HOSTS",
				http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func ownHost(hosts []string, host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	_, err := netip.ParseAddr(host)
	return err == nil || !strings.Contains(host, ".") || slices.Contains(hosts, host)
}
