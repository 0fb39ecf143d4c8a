package oidc

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A provider that is down when we start is no failure of ours: it is asked
// again when somebody comes, but not by everybody at once.
func TestUnreachableProvider(t *testing.T) {
	r := newFakeProvider(t)
	r.down.Store(true)
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	p := r.provider(t, func(c *Config) { c.Now = func() time.Time { return now } })
	if lastError(p) != nil || r.asked.Load() != 0 {
		t.Error("it was asked before anybody came")
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, _, err := p.Begin(t.Context()); domain.KindOf(err) != domain.Unavailable ||
				domain.CodeOf(err) != domain.CodeOIDCAway {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if r.asked.Load() != 1 || lastError(p) == nil {
		t.Errorf("asked %d times", r.asked.Load())
	}
	r.down.Store(false)
	if _, _, err := p.Begin(t.Context()); err == nil {
		t.Error("it was asked without a pause")
	}
	now = now.Add(discoveryRetry)
	if _, _, err := p.Begin(t.Context()); err != nil || lastError(p) != nil {
		t.Error(err)
	}
	// What it said does while it is away.
	r.down.Store(true)
	now = now.Add(discoveryTTL)
	if _, _, err := p.Begin(t.Context()); err != nil || lastError(p) == nil {
		t.Error(err)
	}
	asked := r.asked.Load()
	if _, _, err := p.Begin(t.Context()); err != nil || r.asked.Load() != asked {
		t.Errorf("%v, asked again: %v", err, r.asked.Load() != asked)
	}
}

// Whoever began the question may go away: the answer serves the others.
func TestCanceledRequest(t *testing.T) {
	r := newFakeProvider(t)
	p := r.provider(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, _ = p.Begin(ctx)
	if _, _, err := p.Begin(t.Context()); err != nil || lastError(p) != nil {
		t.Error(err)
	}
}

// An issuer that calls itself otherwise, be it by a slash, is another one.
func TestTheIssuerIsExact(t *testing.T) {
	r := newFakeProvider(t)
	p := r.provider(t, func(c *Config) { c.Issuer = r.URL + "/" })
	if _, _, err := p.Begin(t.Context()); domain.CodeOf(err) != domain.CodeOIDCAway ||
		!strings.Contains(lastError(p).Error(), "issuer") {
		t.Error(err, lastError(p))
	}
}

func TestResponseSizeIsLimited(t *testing.T) {
	r := newFakeProvider(t)
	p := r.provider(t, func(c *Config) { c.Transport = endless{} })
	if _, _, err := p.Begin(t.Context()); domain.KindOf(err) != domain.Unavailable {
		t.Error(err)
	}
}

type endless struct{}

func (endless) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: endless{}, Request: r, Header: http.Header{}}, nil
}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func (endless) Close() error { return nil }

// What the id token does not say the userinfo endpoint does, if it speaks of
// the same person.
func TestUserinfo(t *testing.T) {
	r := newFakeProvider(t)
	p := r.provider(t, nil)
	for _, row := range []struct {
		sub      string
		verified any
		want     bool
		code     domain.Code
	}{{"s1", true, true, ""}, {"s1", "true", true, ""}, {"s1", "false", false, ""}, {"s1", false, false, ""},
		{"s1", nil, false, ""}, {"s2", true, false, domain.CodeOIDCRefused}, {"", true, false, domain.CodeOIDCRefused}} {
		a, good, back := r.begin(t, p)
		delete(good, "email")
		r.claims, r.info = good, map[string]any{"sub": row.sub, "email": "ann@example.org", "email_verified": row.verified}
		if row.verified == nil {
			delete(r.info, "email_verified")
		}
		who, err := p.Finish(t.Context(), a, back)
		if domain.CodeOf(err) != row.code || who.EmailVerified != row.want || row.code == "" &&
			(who.Email != "ann@example.org" || who.Name != "Ann Smith") {
			t.Errorf("%+v: %+v, %v", row, who, err)
		}
	}
	// Nothing verified about an address that there is not.
	a, good, back := r.begin(t, p)
	delete(good, "email")
	r.claims, r.info = good, map[string]any{"sub": "s1"}
	if who, err := p.Finish(t.Context(), a, back); err != nil || who.EmailVerified || who.Email != "" {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestConfigsThatAreRefused(t *testing.T) {
	good := Config{Issuer: "https://id.example.org", ClientID: "x", Redirect: "https://chat.example.org/cb"}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(c *Config){
		"no client":               func(c *Config) { c.ClientID = "" },
		"no issuer":               func(c *Config) { c.Issuer = "" },
		"an issuer in the clear":  func(c *Config) { c.Issuer = "http://id.example.org" },
		"an issuer with a secret": func(c *Config) { c.Issuer = "https://a:b@id.example.org" },
		"a relative redirect":     func(c *Config) { c.Redirect = "/cb" },
		"a redirect to a script":  func(c *Config) { c.Redirect = "javascript://x/" },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	c := good
	c.Issuer = "http://127.0.0.1:9998/"
	if _, err := New(c); err != nil {
		t.Error(err)
	}
}

// lastError is why the provider could not be discovered when it was last asked; nil if it
// could, or was not asked yet.
func lastError(p *Provider) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
