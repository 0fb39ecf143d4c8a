// Package lockout counts failed attempts, before they are made, and keeps out whoever has
// too many: it decides who may try, not whether they are right.
package lockout

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/ratelimit"
	"github.com/unhidra/unhidra/internal/token"
)

// Store counts failures.
type Store interface {
	Failures(ctx context.Context, counters []domain.Counter, now time.Time) (int, error)
	Reserve(ctx context.Context, counters []domain.Counter, now time.Time) (domain.Reserved, error)
	Release(ctx context.Context, hashes ...[]byte) error
	Refund(ctx context.Context, hashes ...[]byte) error
}

// Deps are what a lockout needs.
type Deps struct {
	Store      Store
	Keys       *token.Keyring
	Report     *report.Reporter
	CookieName func(name string) string // as browsers know a cookie
	// Human asks for a CAPTCHA; nil: there is none.
	Human func(ctx context.Context, action string, c report.Client) error
}

// A Lockout counts the attempts of all people.
type Lockout struct{ Deps }

// New returns a lockout.
func New(d Deps) *Lockout { return &Lockout{d} }

// A name is locked for strangers, never for a browser that has signed in to it
// before: that one shows a cookie and is counted by itself (the OWASP device
// cookie protocol). So nobody can lock a user out by guessing, and no number of
// addresses gives more guesses than these.
const (
	PairFailures     = 5  // of one name from one address, in pairWindow
	StrangerFailures = 10 // of one name from everywhere, in strangerWindow
	BrowserFailures  = 10 // of one name in one browser that is known, in strangerWindow
	MostFailures     = 100
	askHuman         = 3 // failures of a name after which strangers solve a CAPTCHA
	pairWindow       = 15 * time.Minute
	strangerWindow   = time.Hour
)

// Attempt is one that was counted as a failure before it was made.
type Attempt struct {
	Known  bool         // by the cookie of its browser
	Proof  domain.Proof // what success uses up: it forgets what was counted
	Failed int          // attempts before this one
	Began  bool         // a lock, with this attempt
	Until  time.Time
}

// Name is what failures of a user, or of a name that nobody has, are counted
// under. A user's two names, username and e-mail address, are one.
func Name(u domain.User, login string) string {
	if u.ID != "" {
		return u.ID
	}
	return "nobody " + strings.ToLower(login)
}

func (l *Lockout) counters(name string, c report.Client) (counters []domain.Counter, known bool) {
	hash := func(parts ...string) []byte { return l.Keys.Hash("attempts\x00" + strings.Join(parts, "\x00")) }
	if nonce, ok := l.Known(name, c); ok {
		return []domain.Counter{{
			Hash: hash("browser", name, nonce), Limit: BrowserFailures, Window: strangerWindow, Lock: time.Hour, Most: time.Hour,
			Streak: MostFailures,
		}}, true
	}
	return []domain.Counter{
		{
			Hash: hash("pair", name, ratelimit.AddrKey(c.Addr)), Limit: PairFailures, Window: pairWindow,
			Lock: 15 * time.Minute, Most: 24 * time.Hour,
		},
		{
			Hash: hash("strangers", name), Limit: StrangerFailures, Window: strangerWindow,
			Lock: 15 * time.Minute, Most: time.Hour, Streak: MostFailures,
		},
	}, false
}

// Reserve counts an attempt at a password before it is made. A name that is locked is told so
// alike whether anybody has it or not, and no password is hashed for it.
func (l *Lockout) Reserve(ctx context.Context, u domain.User, login string, c report.Client) (Attempt, error) {
	counters, known := l.counters(Name(u, login), c)
	if !known && l.Human != nil {
		failed, err := l.Store.Failures(ctx, counters, l.Report.Now())
		if err != nil {
			return Attempt{}, err
		}
		if failed >= askHuman {
			if err := l.Human(ctx, "sign_in", c); err != nil {
				return Attempt{}, err
			}
		}
	}
	r, err := l.Store.Reserve(ctx, counters, l.Report.Now())
	if err != nil {
		return Attempt{}, err
	}
	if !r.Locked.IsZero() {
		l.Report.Record(ctx, c, report.Event{Kind: domain.AuditLogin, User: u, Typed: login, Outcome: domain.AuditBlocked,
			Reason: "locked"})
		return Attempt{}, errLocked(r, l.Report.Now())
	}
	if r.Unlocked && u.ID != "" {
		l.Report.Record(ctx, c, report.Event{Kind: domain.AuditUnlock, User: u, Reason: "time"})
	}
	proof := domain.Proof{Attempts: hashes(counters)}
	return Attempt{Known: known, Proof: proof, Failed: r.Failures, Began: r.Began, Until: r.LockUntil}, nil
}

// FactorCounters count the failures of a user's second factors, apart from those of
// passwords: whoever guesses here has the password, so that a hundred in a row lock for
// good, until the password is another.
func (l *Lockout) FactorCounters(user string) []domain.Counter {
	return []domain.Counter{{
		Hash: l.Keys.Hash("attempts\x00factor\x00" + user), Limit: StrangerFailures, Window: strangerWindow,
		Lock: time.Hour, Most: time.Hour, Streak: MostFailures,
	}}
}

// ReserveFactor counts an answer for a second factor before it is looked at.
func (l *Lockout) ReserveFactor(ctx context.Context, user string) (domain.Reserved, error) {
	return l.Store.Reserve(ctx, l.FactorCounters(user), l.Report.Now())
}

// MayTryFactor refuses an answer for a second factor that was counted while the user is
// locked. Else it returns what success uses up.
func (l *Lockout) MayTryFactor(
	ctx context.Context, u domain.User, r domain.Reserved, c report.Client,
) (domain.Proof, error) {
	if !r.Locked.IsZero() {
		l.Report.Record(ctx, c, report.Event{Kind: domain.AuditMFA, User: u, Outcome: domain.AuditBlocked, Reason: "locked"})
		return domain.Proof{}, errLocked(r, l.Report.Now())
	}
	return domain.Proof{Attempts: hashes(l.FactorCounters(u.ID))}, nil
}

// Forgive forgets the failures of an attempt that was none.
func (l *Lockout) Forgive(ctx context.Context, p domain.Proof) error {
	return l.Store.Refund(ctx, p.Attempts...)
}

// ForgiveFactors forgets the failures of a user's second factors.
func (l *Lockout) ForgiveFactors(ctx context.Context, user string) error {
	return l.Store.Refund(ctx, hashes(l.FactorCounters(user))...)
}

func hashes(counters []domain.Counter) [][]byte {
	all := make([][]byte, len(counters))
	for i, c := range counters {
		all[i] = c.Hash
	}
	return all
}

// GiveBack takes back what was counted for an attempt that was no failure, and yet has
// led nowhere.
func (l *Lockout) GiveBack(ctx context.Context, p domain.Proof) {
	if len(p.Attempts) == 0 {
		return
	}
	if err := l.Store.Release(context.WithoutCancel(ctx), p.Attempts...); err != nil {
		l.Report.Log.ErrorContext(ctx, "give an attempt back", "err", err)
	}
}

func errLocked(r domain.Reserved, now time.Time) error {
	if r.ForGood {
		return domain.RateLimited.Errorf(domain.CodeLocked,
			"too many failed attempts; sign in where you were signed in before, or choose a new password by the link "+
				"in a mail").After(time.Hour)
	}
	return domain.RateLimited.Errorf(domain.CodeLocked,
		"too many failed attempts; wait, or sign in where you were signed in before").After(r.Locked.Sub(now))
}

// LetIn forgets the failures of a user's name, and knows the browser.
func (l *Lockout) LetIn(ctx context.Context, user string, c report.Client, reason string) (Device, error) {
	counters, _ := l.counters(user, report.Client{Addr: c.Addr})
	if err := l.Store.Refund(ctx, hashes(counters)...); err != nil {
		return Device{}, err
	}
	l.Report.Record(ctx, c, report.Event{Kind: domain.AuditUnlock, User: domain.User{ID: user}, Reason: reason})
	return l.NewDevice(user), nil
}

// Device is the cookie by which a browser that has signed in as a user is known.
// It proves nothing else: with it, a password is still asked for.
type Device struct {
	Cookie string // name, without the prefix that https adds
	Value  string
}

// NewDevice makes the browser of a user known.
func (l *Lockout) NewDevice(name string) Device {
	nonce := token.Secret()[:22]
	return Device{CookieOf(name), nonce + "." + l.deviceMAC(name, nonce)}
}

// CookieOf is the name of the cookie by which the browser of a user is known.
func CookieOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "unhidra_d_" + hex.EncodeToString(sum[:4]) // one for each who uses this browser
}

func (l *Lockout) deviceMAC(name, nonce string) string {
	h := hmac.New(sha256.New, l.Keys.Derive("device-cookie"))
	h.Write([]byte(name + "\x00" + nonce))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Known returns what the failures of a browser are counted under, if its
// cookie is ours and for this name.
func (l *Lockout) Known(name string, c report.Client) (nonce string, ok bool) {
	nonce, mac, _ := strings.Cut(c.Cookies[l.CookieName(CookieOf(name))], ".")
	return nonce, hmac.Equal([]byte(mac), []byte(l.deviceMAC(name, nonce)))
}

// Within refuses an address that asks too often, and tells the audit log, which
// counts the rest of a flood for itself.
func (l *Lockout) Within(ctx context.Context, limit *ratelimit.Limiter, policy string, c report.Client) error {
	if limit == nil {
		return nil
	}
	ok, wait := limit.AllowAddr(c.Addr, l.Report.Now())
	if ok {
		return nil
	}
	if l.Report.Audit != nil {
		l.Report.Audit.Record(ctx, domain.AuditEvent{
			Type: domain.AuditRateLimited, Outcome: domain.AuditBlocked, Addr: c.Addr, UserAgent: c.UserAgent,
			RequestID: c.RequestID,
			Rate:      domain.AuditRate{Policy: policy, KeyKind: "addr", Key: ratelimit.AddrKey(c.Addr)},
		})
	}
	return domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
		"too many attempts from your address; try again later").After(wait)
}
