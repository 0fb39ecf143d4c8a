// Package captcha prices what programs would otherwise do for nothing:
// registrations, password resets, guesses at passwords. The built-in kind is a
// proof of work, which asks nobody but the browser; the others ask a provider.
// Whether a CAPTCHA is asked for is decided elsewhere.
package captcha

import (
	"context"
	"net/netip"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// The kinds, as UNHIDRA_CAPTCHA names them.
const (
	KindPoW        = "pow"
	KindTurnstile  = "turnstile"
	KindHCaptcha   = "hcaptcha"
	KindReCaptcha  = "recaptcha"
	KindReCaptcha3 = "recaptcha3"
)

// A Captcha tells people from programs, or makes programs pay. Its methods may
// be called at the same time.
type Captcha interface {
	// Kind is how a client knows what to do.
	Kind() string
	// ClientConfig returns what a client must know to answer for action: for a
	// hosted one, the site key.
	ClientConfig(action string) map[string]any
	// Challenge returns what a client has to solve, as JSON, or an error of kind
	// not_found where the provider and not this server gives challenges.
	Challenge(ctx context.Context, action string, addr netip.Addr) (any, error)
	// Verify reports whether token answers a challenge for action, once. An error
	// means that nobody can say: whoever asked must not go on.
	Verify(ctx context.Context, token, action string, addr netip.Addr) (Result, error)
}

// Result is what became of an answer.
type Result struct {
	OK       bool
	Reason   domain.Code // of a refusal, for the log and the audit: expired, reused, wrong_action, ...
	Hostname string      // that the page had, if the provider says so
	Action   string      // that it was solved for, if that is known
	Score    float64     // 0 (a program) to 1 (a person), of reCAPTCHA v3
	At       time.Time   // when it was solved; zero: unknown
}

func refuse(reason domain.Code) Result { return Result{Reason: reason} }

// Gate turns results into errors, for services that only ask whether to go on.
type Gate struct{ Captcha }

// Check returns nil if token answers a challenge for action, forbidden if it
// does not, and unavailable if nobody can say.
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
