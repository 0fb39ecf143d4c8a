// Package captcha makes automated registrations, password resets and password guessing expensive.
// The built-in kind is a proof of work, which involves only the browser; the other kinds ask a
// provider. The callers decide when a CAPTCHA is required.
package captcha

import (
	"context"
	"net/netip"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// The kinds of CAPTCHA, as in UNHIDRA_CAPTCHA.
const (
	KindPoW        = "pow"
	KindTurnstile  = "turnstile"
	KindHCaptcha   = "hcaptcha"
	KindReCaptcha  = "recaptcha"
	KindReCaptcha3 = "recaptcha3"
)

// A Captcha distinguishes people from programs, or makes programs pay. Its methods are safe for
// concurrent use.
type Captcha interface {
	// Kind returns the kind, by which a client knows what to do.
	Kind() string
	// ClientConfig returns what a client needs for action, for example a provider's site key.
	ClientConfig(action string) map[string]any
	// Challenge returns a challenge to solve, as JSON. It fails with not_found if the provider
	// issues the challenges.
	Challenge(ctx context.Context, action string, addr netip.Addr) (any, error)
	// Verify reports whether token solves a challenge for action. A token is valid once. An error
	// means that this could not be determined; the caller must then refuse.
	Verify(ctx context.Context, token, action string, addr netip.Addr) (Result, error)
}

// Result is the result of Verify.
type Result struct {
	OK       bool
	Reason   domain.Code // why it was refused, for logs and audit: expired, reused, wrong_action, ...
	Hostname string      // of the page, if the provider reports it
	Action   string      // that it was solved for, if known
	Score    float64     // 0 (a program) to 1 (a person), of reCAPTCHA v3
	At       time.Time   // when it was solved; zero: unknown
}

func refuse(reason domain.Code) Result { return Result{Reason: reason} }

// Gate turns results into errors, for callers that only need to know whether to go on.
type Gate struct{ Captcha }

// Check returns nil if token solves a challenge for action. It fails with forbidden if it does not,
// and with unavailable if that could not be determined.
func (g Gate) Check(ctx context.Context, token, action string, addr netip.Addr) error {
	r, err := g.Verify(ctx, token, action, addr)
	if err != nil {
		return err
	}
	if !r.OK {
		return domain.Forbidden.Errorf(r.Reason, "the CAPTCHA was not solved; try again")
	}
	return nil
}

func unavailable(cause error) error {
	return domain.Unavailable.Errorf(domain.CodeCaptchaUnavailable,
		"the CAPTCHA cannot be checked just now; try again").After(10 * time.Second).Because(cause)
}
