// Package oidc signs people in with an account at an OpenID Connect provider: authorization code
// flow with PKCE, and discovery. It returns the identity at the provider. The callers decide which
// account that is here, and whether to create one.
package oidc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	coreos "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	timeout        = 10 * time.Second // for each request to the provider
	discoveryRetry = 5 * time.Second  // pause after a failed discovery
	discoveryTTL   = time.Hour        // how long discovered metadata is used
	maxBytes       = 1 << 20          // of a response of the provider
)

// Config is the configuration of a provider's client.
type Config struct {
	Issuer   string // exactly as in the provider's metadata
	ClientID string
	Secret   string   // empty: public client
	Redirect string   // redirect URI
	Scopes   []string // in addition to openid, email and profile

	Now       func() time.Time  // nil: time.Now
	Transport http.RoundTripper // nil: http.DefaultTransport
}

// Provider is a provider that people can sign in with. Its methods are safe for concurrent use.
type Provider struct {
	Config
	http *http.Client

	mu       sync.Mutex
	metadata *discovered
	at       time.Time // of the last discovery or attempt
	err      error     // of that attempt
	busy     chan struct{}
}

// discovered is the provider's metadata.
type discovered struct {
	*coreos.Provider
	oauth  oauth2.Config
	answer struct {
		NamesIssuer bool     `json:"authorization_response_iss_parameter_supported"`
		Methods     []string `json:"token_endpoint_auth_methods_supported"`
	}
}

// New returns a provider. It sends no request: discovery happens when somebody signs in, so that
// the server can start while the provider is unavailable.
func New(c Config) (*Provider, error) {
	if c.ClientID == "" {
		return nil, errors.New("OpenID Connect needs a client id")
	}
	for what, s := range map[string]string{"issuer": c.Issuer, "redirect": c.Redirect} {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Fragment != "" || u.User != nil {
			return nil, fmt.Errorf("OpenID Connect's %s is no address of a site: %q", what, s)
		}
		if u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
			return nil, fmt.Errorf("OpenID Connect's %s must begin with https://", what)
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	p := &Provider{Config: c, busy: make(chan struct{}, 1)}
	p.http = &http.Client{Timeout: timeout, Transport: bounded{c.Transport}}
	return p, nil
}

// loopback reports whether host is this machine, for which http is allowed.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// bounded limits the size of responses.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxBytes), resp.Body}
	}
	return resp, err
}

// Attempt is the state of a sign-in that has begun. The caller stores it, so that only the browser
// that began it can refer to it, until the provider redirects back.
type Attempt struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
}

// Begin returns an attempt and the URL to redirect the browser to.
func (p *Provider) Begin(ctx context.Context) (Attempt, string, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return Attempt{}, "", err
	}
	a := Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return a, d.oauth.AuthCodeURL(a.State, coreos.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

// discover returns the provider's metadata. It sends one request at a time, and none for a while
// after a failure.
func (p *Provider) discover(ctx context.Context) (*discovered, error) {
	if d, err := p.cached(); d != nil || err != nil {
		return d, err
	}
	select {
	case p.busy <- struct{}{}:
		defer func() { <-p.busy }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if d, err := p.cached(); d != nil || err != nil {
		return d, err // discovered by another caller meanwhile
	}
	// Other callers may wait for this response. It must not fail because this caller disconnects.
	d, err := p.fetch(context.WithoutCancel(ctx))

	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.err = p.Now(), err
	if err == nil {
		p.metadata = d
	}
	if p.metadata == nil {
		return nil, errUnavailable(err)
	}
	return p.metadata, nil // older metadata is used while the provider is unavailable
}

func (p *Provider) cached() (*discovered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	age := p.Now().Sub(p.at)
	switch {
	case p.err != nil && age < discoveryRetry && p.metadata == nil:
		return nil, errUnavailable(p.err)
	case p.err != nil && age < discoveryRetry, p.err == nil && age < discoveryTTL:
		return p.metadata, nil
	}
	return nil, nil
}

func (p *Provider) fetch(ctx context.Context) (*discovered, error) {
	found, err := coreos.NewProvider(coreos.ClientContext(ctx, p.http), p.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discover %s: %w", p.Issuer, err)
	}
	d := &discovered{Provider: found}
	if err := found.Claims(&d.answer); err != nil {
		return nil, fmt.Errorf("discover %s: %w", p.Issuer, err)
	}
	d.oauth = oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.Secret, RedirectURL: p.Redirect, Endpoint: found.Endpoint(),
		Scopes: append([]string{coreos.ScopeOpenID, "email", "profile"}, p.Scopes...),
	}
	// The library would try both methods, and a failed attempt may consume the code.
	d.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if p.Secret == "" || len(d.answer.Methods) > 0 && !slices.Contains(d.answer.Methods, "client_secret_basic") {
		d.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return d, nil
}

func errUnavailable(cause error) error {
	return domain.Unavailable.Errorf(domain.CodeOIDCAway,
		"the sign-in service does not answer; try again in a moment, or sign in another way").After(discoveryRetry).Because(
		cause)
}
