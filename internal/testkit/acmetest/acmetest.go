// Package acmetest runs an ACME server (Pebble, in the test's own process) that
// checks challenges for real, on ports of the loopback.
package acmetest

import (
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// A Server is an ACME server.
type Server struct {
	Directory string         // its URL
	CAFile    string         // PEM of the authority that the server itself is trusted by
	Roots     *x509.CertPool // what its certificates are trusted by
	down      atomic.Pointer[acme.ProblemDetails]
	orders    atomic.Int64
}

// Start starts a server that reaches HTTP-01 and TLS-ALPN-01 on these ports, and
// whose certificates live that long.
func Start(tb testing.TB, httpPort, tlsPort int, life time.Duration) *Server {
	tb.Helper()
	for k, v := range map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0",
		"PEBBLE_AUTHZREUSE": "0"} {
		tb.Setenv(k, v)
	}
	quiet := log.New(io.Discard, "", 0)
	mem := db.NewMemoryStore()
	authority := ca.New(quiet, mem, "", "ecdsa", 0, 1,
		map[string]ca.Profile{"default": {Description: "of a test", ValidityPeriod: uint64(life / time.Second)}})
	front := wfe.New(quiet, mem, va.New(quiet, httpPort, tlsPort, false, "", mem), authority,
		[]string{"pebble.letsencrypt.org"}, false, false, 1, 1)

	s := &Server{Roots: x509.NewCertPool()}
	s.Roots.AddCert(authority.GetRootCert(0).Cert)
	h := front.Handler()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := s.down.Load(); p != nil && r.Method == http.MethodPost {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(p.HTTPStatus)
			_, _ = io.WriteString(w, `{"type":"`+p.Type+`","detail":"`+p.Detail+`"}`)
			return
		}
		if r.URL.Path == "/order-plz" {
			s.orders.Add(1)
		}
		h.ServeHTTP(w, r)
	}))
	own := tlstest.NewAuthority(tb)
	srv.TLS = own.Server(time.Hour)
	srv.StartTLS()
	tb.Cleanup(srv.Close)
	s.Directory = srv.URL + wfe.DirectoryPath
	s.CAFile = filepath.Join(tb.TempDir(), "acme-ca.pem")
	if err := os.WriteFile(s.CAFile, own.PEM, 0o600); err != nil {
		tb.Fatal(err)
	}
	return s
}

// Refuse makes the server answer everything with a problem of this kind, such as
// rateLimited; with none it works again.
func (s *Server) Refuse(kind string, status int) {
	if kind == "" {
		s.down.Store(nil)
		return
	}
	s.down.Store(&acme.ProblemDetails{Type: "urn:ietf:params:acme:error:" + kind, Detail: "a test wants it so",
		HTTPStatus: status})
}

// Orders returns how many certificates were asked for.
func (s *Server) Orders() int64 { return s.orders.Load() }
