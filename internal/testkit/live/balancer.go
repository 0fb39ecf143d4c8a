package live

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// A balancer passes each request, WebSockets among them, to the next of its nodes
// that says it is ready, as those that people use in production do.
type balancer struct {
	proxy *httputil.ReverseProxy

	mu    sync.Mutex
	nodes []string
	next  int
}

func newBalancer() *balancer {
	b := &balancer{}
	b.proxy = &httputil.ReverseProxy{
		Transport: &http.Transport{DialContext: b.dial, DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "node"}) // which one, dial says
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	return b
}

// Balance opens a balancer before nodes, host:port each, until the end of the test, and returns its
// URL. They must trust it as a proxy: UNHIDRA_TRUSTED_PROXIES=127.0.0.1.
func Balance(tb testing.TB, nodes ...string) (url string) {
	tb.Helper()
	b := newBalancer()
	for _, addr := range nodes {
		b.add(addr)
	}
	front := httptest.NewServer(b)
	tb.Cleanup(front.Close)
	return front.URL
}

// ServeHTTP implements http.Handler.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.proxy.ServeHTTP(w, r) }

// add adds a node by its host and port.
func (b *balancer) add(addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes = append(b.nodes, addr)
}

// turn returns the nodes in the order in which to try them.
func (b *balancer) turn() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.nodes) == 0 {
		return nil
	}
	b.next = (b.next + 1) % len(b.nodes)
	return append(slices.Clone(b.nodes[b.next:]), b.nodes[:b.next]...)
}

func (b *balancer) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var d net.Dialer
	err := errors.New("there are no nodes")
	for _, addr := range b.turn() {
		if err = ready(ctx, addr); err != nil {
			continue
		}
		var c net.Conn
		if c, err = d.DialContext(ctx, network, addr); err == nil {
			return c, nil
		}
	}
	return nil, err
}

func ready(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/ready", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New("the node is not ready")
	}
	return nil
}
