package captcha

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	askTimeout  = 3 * time.Second
	maxToken    = 8 << 10 // reCAPTCHA's are the longest, about 2 KiB
	maxAnswer   = 64 << 10
	maxAge      = 10 * time.Minute // after solving; providers expire tokens after 2 to 5 minutes
	leastScore  = 0.5              // of reCAPTCHA v3, as its documentation recommends
	clockLeeway = time.Minute
)

// A provider has what differs between providers. All accept a POST form and respond with JSON.
type provider struct {
	verify  string   // URL
	origins []string // origins that the page may load scripts and frames from
	script  string
	actions bool // reports the action it was solved for
	scores  bool
	siteKey bool // requires the site key
}

var turnstile = provider{
	verify:  "https://challenges.cloudflare.com/turnstile/v0/siteverify",
	origins: []string{"https://challenges.cloudflare.com"},
	script:  "https://challenges.cloudflare.com/turnstile/v0/api.js?render=explicit", actions: true,
}

var hCaptcha = provider{
	verify: "https://api.hcaptcha.com/siteverify", origins: []string{"https://hcaptcha.com", "https://*.hcaptcha.com"},
	script: "https://js.hcaptcha.com/1/api.js?render=explicit", siteKey: true,
}

var reCaptcha = provider{
	verify:  "https://www.google.com/recaptcha/api/siteverify",
	origins: []string{"https://www.google.com", "https://www.gstatic.com"},
	script:  "https://www.google.com/recaptcha/api.js?render=explicit",
}

var reCaptcha3 = provider{
	verify:  "https://www.google.com/recaptcha/api/siteverify",
	origins: []string{"https://www.google.com", "https://www.gstatic.com"},
	script:  "https://www.google.com/recaptcha/api.js?render=", actions: true, scores: true,
}

// HostedOptions are the options of a provider's CAPTCHA.
type HostedOptions struct {
	Kind     string // KindTurnstile, KindHCaptcha, KindReCaptcha, KindReCaptcha3
	SiteKey  string
	Secret   string
	Hosts    []string         // host names of this server's pages; solutions from other pages are refused
	Endpoint string           // URL to verify at; empty: the provider's
	Now      func() time.Time // nil: time.Now
}

// Hosted is a CAPTCHA of a provider. If the provider does not respond within three seconds, Verify
// fails.
type Hosted struct {
	o      HostedOptions
	p      provider
	client *http.Client
}

// NewHosted returns a Hosted, or an error if the kind is unknown.
func NewHosted(o HostedOptions) (*Hosted, error) {
	h := &Hosted{o: o}
	switch o.Kind {
	case KindTurnstile:
		h.p = turnstile
	case KindHCaptcha:
		h.p = hCaptcha
	case KindReCaptcha:
		h.p = reCaptcha
	case KindReCaptcha3:
		h.p = reCaptcha3
		h.p.script += url.QueryEscape(o.SiteKey)
	default:
		return nil, fmt.Errorf("there is no CAPTCHA of the kind %q", o.Kind)
	}
	if o.Endpoint != "" {
		h.p.verify = o.Endpoint
	}
	if o.Now == nil {
		h.o.Now = time.Now
	}
	h.client = &http.Client{Timeout: askTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // never send the secret to another address
	}}
	return h, nil
}

// Kind implements Captcha.
func (h *Hosted) Kind() string { return h.o.Kind }

// ClientConfig implements Captcha.
func (h *Hosted) ClientConfig(action string) map[string]any {
	return map[string]any{"kind": h.o.Kind, "site_key": h.o.SiteKey, "action": action, "script": h.p.script}
}

// Origins returns the origins that the page's content security policy must allow for scripts,
// frames and connections.
func (h *Hosted) Origins() []string { return slices.Clone(h.p.origins) }

// Challenge implements Captcha. It fails with not_found, because the provider issues the
// challenges.
func (h *Hosted) Challenge(context.Context, string, netip.Addr) (any, error) {
	return nil, domain.NotFound.Errorf(domain.CodeCaptchaHosted, "this server's CAPTCHA is given by its provider")
}

// answer is the response of a provider. Each provider sets some of the fields.
type answer struct {
	Success     bool      `json:"success"`
	Errors      []string  `json:"error-codes"`
	Hostname    string    `json:"hostname"`
	ChallengeTS time.Time `json:"challenge_ts"`
	Action      string    `json:"action"`
	Score       float64   `json:"score"`
}

// Verify implements Captcha. The provider invalidates the token.
func (h *Hosted) Verify(ctx context.Context, token, action string, addr netip.Addr) (Result, error) {
	if token == "" || len(token) > maxToken {
		return refuse(domain.CodeCaptchaMalformed), nil
	}
	a, err := h.ask(ctx, token, addr)
	if err != nil {
		return Result{}, unavailable(err)
	}
	r := Result{Hostname: a.Hostname, Action: a.Action, Score: a.Score, At: a.ChallengeTS}
	if r.Reason, err = h.judge(a, action); err != nil {
		return Result{}, unavailable(err)
	}
	r.OK = r.Reason == ""
	return r, nil
}

// judge returns why a response is refused, or an empty code if it is accepted. An error means that
// this server or the provider is at fault, not the user.
func (h *Hosted) judge(a answer, action string) (domain.Code, error) {
	if !a.Success {
		for _, code := range a.Errors {
			switch code {
			case "timeout-or-duplicate", "already-seen-response", "expired-input-response":
				return domain.CodeCaptchaReused, nil
			case "missing-input-secret", "invalid-input-secret", "sitekey-secret-mismatch", "not-using-dummy-secret",
				"internal-error", "bad-request":
				return "", fmt.Errorf("the provider says %s; check UNHIDRA_CAPTCHA_SITE_KEY and UNHIDRA_CAPTCHA_SECRET", code)
			}
		}
		return domain.CodeCaptchaWrong, nil
	}
	now := h.o.Now()
	switch {
	case !slices.ContainsFunc(h.o.Hosts, func(host string) bool { return strings.EqualFold(host, a.Hostname) }):
		return domain.CodeCaptchaWrongHost, nil
	case h.p.actions && a.Action != action:
		return domain.CodeCaptchaWrongAction, nil
	case a.ChallengeTS.Before(now.Add(-maxAge)) || a.ChallengeTS.After(now.Add(clockLeeway)):
		return domain.CodeCaptchaExpired, nil
	case h.p.scores && a.Score < leastScore:
		return domain.CodeCaptchaLowScore, nil
	}
	return "", nil
}

func (h *Hosted) ask(ctx context.Context, token string, addr netip.Addr) (a answer, err error) {
	form := url.Values{"secret": {h.o.Secret}, "response": {token}}
	if addr.IsValid() {
		form.Set("remoteip", addr.Unmap().WithZone("").String())
	}
	if h.p.siteKey {
		form.Set("sitekey", h.o.SiteKey)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.p.verify, strings.NewReader(form.Encode()))
	if err != nil {
		return a, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	resp, err := h.client.Do(r)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return a, err
	}
	// Some providers report errors with status 400. All of them respond with JSON.
	if err := json.Unmarshal(b, &a); err != nil || resp.StatusCode >= 500 {
		return a, fmt.Errorf("the provider answered %s", resp.Status)
	}
	if resp.StatusCode != http.StatusOK && a.Success {
		return a, fmt.Errorf("the provider answered %s, and success", resp.Status)
	}
	return a, nil
}
