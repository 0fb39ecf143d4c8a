package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/unhidra/unhidra/internal/testkit/acmetest"
)

// A site is a server with certificates of an ACME server.
type site struct {
	t     *testing.T
	acme  *acmetest.Server
	plain net.Listener // nil: no HTTP-01
	tls   net.Listener
	reg   *prometheus.Registry
	log   *syncBuffer
	dir   string
}

func newSite(t *testing.T, http01 bool, life time.Duration) *site {
	t.Helper()
	s := &site{t: t, log: &syncBuffer{}, reg: prometheus.NewPedanticRegistry(), dir: t.TempDir()}
	s.tls = listen(t)
	plain := listen(t)
	if http01 {
		s.plain = plain
	}
	s.acme = acmetest.Start(t, port(plain), port(s.tls), life)
	return s
}

// run starts the server until the test ends or stop is called.
func (s *site) run(every time.Duration) (stop func()) {
	s.t.Helper()
	o := ACMEOptions{
		Domains: []string{"localhost"}, Directory: s.acme.Directory, CAFile: s.acme.CAFile, Folder: s.dir, Host: "127.0.0.1",
		TLSPort: port(s.tls), Log: slog.New(slog.NewTextHandler(s.log, nil)), Metrics: s.reg, Every: every,
	}
	if s.plain != nil {
		o.HTTPPort = port(s.plain)
	}
	a, err := NewACME(o)
	if err != nil {
		s.t.Fatal(err)
	}
	a.issuer.DisableTLSALPNChallenge = s.plain != nil // one at a time
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") })
	if s.plain != nil {
		plain := &httptest.Server{Listener: s.plain, Config: &http.Server{Handler: a.Challenge(hello)}}
		plain.Start()
		s.t.Cleanup(plain.Close)
	}
	secure := &http.Server{Handler: hello, TLSConfig: a.TLS(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go func() { _ = secure.ServeTLS(s.tls, "", "") }()
	s.t.Cleanup(func() { _ = secure.Close() })
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Run(ctx) }()
	stop = func() { cancel(); <-done }
	s.t.Cleanup(stop)
	return stop
}

// leaf waits until a certificate is served that ok likes.
func (s *site) leaf(ok func(*x509.Certificate) bool) *x509.Certificate {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	d := &tls.Dialer{Config: &tls.Config{RootCAs: s.acme.Roots, ServerName: "localhost"}}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := d.DialContext(ctx, "tcp", s.tls.Addr().String())
		if err == nil {
			leaf := c.(*tls.Conn).ConnectionState().PeerCertificates[0]
			_ = c.Close()
			if ok(leaf) {
				return leaf
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("no such certificate: %v\n%s", err, s.log)
		}
	}
}

func anyLeaf(*x509.Certificate) bool { return true }

// Each challenge alone leads to a certificate, which is there again after a
// restart.
func TestACMEChallenges(t *testing.T) {
	for _, http01 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http01=%v", http01), func(t *testing.T) {
			s := newSite(t, http01, time.Hour)
			stop := s.run(0)
			first := s.leaf(anyLeaf)
			if n, err := testutil.GatherAndCount(s.reg, "tls_certificate_expiry_timestamp_seconds"); err != nil || n != 1 {
				t.Errorf("%d expiries, %v", n, err)
			}
			stop()
			s.reg = prometheus.NewPedanticRegistry()
			b, err := NewACME(ACMEOptions{Domains: []string{"localhost"}, Directory: s.acme.Directory, CAFile: s.acme.CAFile,
				Folder: s.dir,
				Log:    slog.New(slog.NewTextHandler(s.log, nil)), Metrics: s.reg})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); _ = b.Run(ctx) }()
			defer func() { cancel(); <-done }()
			if c := wait(t, b); !c.Equal(first) { // it may be renewed soon after, if the ACME server says so (RFC 9773)
				t.Error("another certificate after a restart")
			}
		})
	}
}

// wait returns the certificate that a has once it has one.
func wait(t *testing.T, a *ACME) *x509.Certificate {
	t.Helper()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if all := a.Current(); len(all) > 0 {
			tick.Stop()
			return all[0]
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("no certificate")
		}
	}
}

// A renewal drops no connection.
func TestACMERenewal(t *testing.T) {
	s := newSite(t, false, 12*time.Second) // renewed when a third is left
	s.run(200 * time.Millisecond)
	first := s.leaf(anyLeaf)
	open, err := (&tls.Dialer{Config: &tls.Config{RootCAs: s.acme.Roots, ServerName: "localhost"}}).DialContext(
		t.Context(), "tcp", s.tls.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()

	s.leaf(func(c *x509.Certificate) bool { return !c.Equal(first) })
	if _, err := io.WriteString(open, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(open); err != nil || !strings.HasSuffix(string(b), "hello") {
		t.Errorf("the connection from before the renewal: %q, %v", b, err)
	}
}

// When the ACME server refuses, the certificate that is there stays in use, and
// the log says once what to do.
func TestACMERefusal(t *testing.T) {
	s := newSite(t, false, 12*time.Second)
	s.run(200 * time.Millisecond)
	first := s.leaf(anyLeaf)
	s.acme.Refuse("rateLimited", http.StatusTooManyRequests)
	s.log.waitFor(t, "staging directory")
	if !s.leaf(anyLeaf).Equal(first) || strings.Count(s.log.String(), "ERROR") != 1 {
		t.Errorf("%s", s.log)
	}
}

// An ACME server that is down keeps nothing from starting: the log says what to
// look at, and handshakes say that there is no certificate yet.
func TestACMEDown(t *testing.T) {
	gone := listen(t)
	log := &syncBuffer{}
	a, err := NewACME(ACMEOptions{Domains: []string{"localhost"}, Directory: "https://" + gone.Addr().String() + "/dir",
		Folder: t.TempDir(),
		Host:   "127.0.0.1", TLSPort: port(listen(t)), Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Run(ctx) }()
	log.waitFor(t, "see whether this machine reaches https://"+gone.Addr().String())
	l := listen(t)
	go func() {
		if c, err := (&tls.Dialer{Config: &tls.Config{ServerName: "localhost"}}).DialContext(ctx, "tcp",
			l.Addr().String()); err == nil {
			_ = c.Close()
		}
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := tls.Server(c, a.TLS()).HandshakeContext(ctx); err == nil ||
		!strings.Contains(err.Error(), `there is no certificate for "localhost" yet`) {
		t.Errorf("%v", err)
	}
	cancel()
	<-done
	if _, err := NewACME(ACMEOptions{Domains: []string{"a"}, CAFile: "/nowhere"}); err == nil ||
		!strings.Contains(err.Error(), "UNHIDRA_ACME_CA_FILE") {
		t.Errorf("%v", err)
	}
}

func TestAdvice(t *testing.T) {
	for kind, want := range map[string]string{
		"rateLimited": "staging", "dns": "A or AAAA", "connection": "ports 80 and 443", "unauthorized": "another server",
		"caa":                "CAA",
		"rejectedIdentifier": "UNHIDRA_ACME_DOMAINS", "invalidContact": "UNHIDRA_ACME_EMAIL", "other": "answer",
	} {
		err := fmt.Errorf("order: %w", acme.Problem{Type: "urn:ietf:params:acme:error:" + kind})
		if got := advise("chat.example.org", "https://acme", err); !strings.Contains(got, want) {
			t.Errorf("%s: %s", kind, got)
		}
	}
	if got := advise("x", "https://acme", errors.New("dial")); !strings.Contains(got, "https://acme") {
		t.Error(got)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// A syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *syncBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}

func (b *syncBuffer) waitFor(t *testing.T, text string) {
	t.Helper()
	end := time.After(30 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); !strings.Contains(b.String(), text); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("no %q in:\n%s", text, b)
		}
	}
}
