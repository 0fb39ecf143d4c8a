package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// ACMEOptions are the options of an ACME source.
type ACMEOptions struct {
	Domains   []string
	Email     string // contact for the ACME server; may be empty
	Directory string // URL of the ACME server
	CAFile    string // PEM file with the CA that the ACME server's own certificate is from; empty: the system's
	Folder    string // for certificates and the account, without Storage
	Storage   certmagic.Storage

	Host     string // address of the listeners; empty: all
	TLSPort  int    // of the TLS listener, for TLS-ALPN-01
	HTTPPort int    // of the plain listener, for HTTP-01; 0: HTTP-01 is not used

	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: none
	Every   time.Duration         // interval of checks for renewal; 0: 10 minutes
}

// ACME obtains certificates from an ACME server (RFC 8555). It renews them when a third of their
// lifetime is left, or when the ACME server asks for it.
type ACME struct {
	ACMEOptions
	config   *certmagic.Config
	cache    *certmagic.Cache
	issuer   *certmagic.ACMEIssuer
	renewals *prometheus.CounterVec

	mu     sync.Mutex
	failed map[string]string // the last error by name, so that each is logged once
}

// NewACME returns an ACME source. It sends nothing before Run.
func NewACME(o ACMEOptions) (*ACME, error) {
	roots, err := roots(o.CAFile)
	if err != nil {
		return nil, err
	}
	if o.Storage == nil {
		if err := os.MkdirAll(o.Folder, 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of the certificates (UNHIDRA_DATA_DIR): %w", err)
		}
		o.Storage = &certmagic.FileStorage{Path: o.Folder}
	}
	a := &ACME{ACMEOptions: o, failed: map[string]string{}}
	log := zap.New(zapBridge{o.Log})
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return a.config, nil },
		RenewCheckInterval: o.Every, Logger: log,
	})
	a.config = certmagic.New(a.cache, certmagic.Config{
		Storage: o.Storage, Logger: log, OnEvent: a.event, DefaultServerName: o.Domains[0], FallbackServerName: o.Domains[0],
		// CAs have abandoned OCSP, and stapling would send a request at each start.
		OCSP: certmagic.OCSPConfig{DisableStapling: true},
	})
	a.issuer = certmagic.NewACMEIssuer(a.config, certmagic.ACMEIssuer{
		CA: o.Directory, TestCA: o.Directory, Email: o.Email, Agreed: true, TrustedRoots: roots, Logger: log,
		ListenHost: o.Host, AltTLSALPNPort: o.TLSPort, AltHTTPPort: o.HTTPPort, DisableHTTPChallenge: o.HTTPPort == 0,
	})
	a.config.Issuers = []certmagic.Issuer{a.issuer}
	a.renewals = newMetrics(o.Metrics, a.Current)
	return a, nil
}

func roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the authority of the ACME server (UNHIDRA_ACME_CA_FILE): %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s (UNHIDRA_ACME_CA_FILE) holds no certificate in PEM form", file)
	}
	return pool, nil
}

// TLS returns the configuration for listeners.
func (a *ACME) TLS() *tls.Config {
	c := base(a.get)
	c.NextProtos = append(c.NextProtos, acmez.ACMETLS1Protocol)
	return c
}

// get returns a certificate, or answers the challenge TLS-ALPN-01.
func (a *ACME) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := a.config.GetCertificate(hello)
	if err != nil {
		return nil, fmt.Errorf("there is no certificate for %q yet: %w", hello.ServerName, err)
	}
	return c, nil
}

// Challenge returns a handler that answers the challenge HTTP-01, and otherwise calls h.
func (a *ACME) Challenge(h http.Handler) http.Handler { return a.issuer.HTTPChallengeHandler(h) }

// Run loads stored certificates, obtains missing ones, and renews them until ctx is done. While the
// ACME server is unavailable it retries with increasing intervals.
func (a *ACME) Run(ctx context.Context) error {
	defer a.cache.Stop()
	if err := a.config.ManageAsync(ctx, a.Domains); err != nil {
		return fmt.Errorf("manage certificates: %w", err)
	}
	<-ctx.Done()
	return ctx.Err()
}

// event handles events of certmagic.
func (a *ACME) event(ctx context.Context, event string, data map[string]any) error {
	name, _ := data["identifier"].(string)
	renewal, _ := data["renewal"].(bool)
	switch event {
	case "cert_obtaining":
		a.Log.InfoContext(ctx, "asking for a certificate", "name", name, "of", a.Directory, "renewal", renewal)
	case "cert_obtained":
		a.mu.Lock()
		delete(a.failed, name)
		a.mu.Unlock()
		if renewal {
			a.renewals.WithLabelValues("ok").Inc()
		}
		a.Log.InfoContext(ctx, "a certificate came", "name", name, "renewal", renewal)
	case "cert_failed":
		err, _ := data["error"].(error)
		a.fail(name, err)
	}
	return nil
}

// Current implements Source.
func (a *ACME) Current() []*x509.Certificate {
	var leaves []*x509.Certificate
	for _, d := range a.Domains {
		for _, c := range a.cache.AllMatchingCertificates(d) {
			if c.Leaf != nil {
				leaves = append(leaves, c.Leaf)
			}
		}
	}
	return leaves
}

func (a *ACME) fail(name string, err error) {
	a.renewals.WithLabelValues("failed").Inc()
	advice := advise(name, a.Directory, err)
	a.mu.Lock()
	again := a.failed[name] == advice
	a.failed[name] = advice
	a.mu.Unlock()
	if again {
		a.Log.Debug("still no new certificate", "name", name, "err", err)
		return
	}
	args := []any{"name", name, "do", advice, "err", err}
	for _, c := range a.cache.AllMatchingCertificates(name) {
		args = append(args, "running_until", c.Leaf.NotAfter)
	}
	a.Log.Error("no new certificate came; it is asked for again, and one that is there stays in use", args...)
}

// advise returns what the operator can do about err.
func advise(name, directory string, err error) string {
	var p acme.Problem
	if !errors.As(err, &p) {
		return fmt.Sprintf("see whether this machine reaches %s, and whether that server works (UNHIDRA_ACME_DIRECTORY, "+
			"UNHIDRA_ACME_CA_FILE)", directory)
	}
	switch kind := p.Type[strings.LastIndexByte(p.Type, ':')+1:]; kind {
	case "rateLimited":
		return "the ACME server limits how many certificates it gives; wait until the time in its answer, and use its " +
			"staging directory (UNHIDRA_ACME_DIRECTORY) for trials"
	case "dns":
		return fmt.Sprintf("the domain name system has no address for %s; make an A or AAAA record that leads to "+
			"this machine", name)
	case "connection", "tls":
		return fmt.Sprintf("the ACME server cannot reach this machine as %s; open ports 80 and 443 in the firewall, and "+
			"see that the name leads here", name)
	case "unauthorized", "incorrectResponse":
		return fmt.Sprintf("another server answers for %s on port 80 or 443; see that the name leads to this machine "+
			"alone, AAAA records too", name)
	case "caa":
		return fmt.Sprintf("a CAA record of %s forbids this authority; change the record", name)
	case "rejectedIdentifier", "unsupportedIdentifier":
		return fmt.Sprintf("the ACME server gives no certificate for %s; see UNHIDRA_ACME_DOMAINS for a misspelling", name)
	case "invalidContact", "unsupportedContact":
		return "the ACME server does not take the address in UNHIDRA_ACME_EMAIL"
	}
	return "the answer of the ACME server says why"
}
