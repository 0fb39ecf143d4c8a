package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/ratelimit"
	"github.com/unhidra/unhidra/internal/token"
)

// A name is locked for strangers, never for a browser that has signed in to it
// before: that one shows a cookie and is counted by itself (the OWASP device
// cookie protocol). So nobody can lock a user out by guessing, and no number of
// addresses gives more guesses than these.
const (
	pairFailures     = 5  // of one name from one address, in pairWindow
	strangerFailures = 10 // of one name from everywhere, in strangerWindow
	browserFailures  = 10 // of one name in one browser that is known, in strangerWindow
	mostFailures     = 100
	askHuman         = 3 // failures of a name after which strangers solve a CAPTCHA
	pairWindow       = 15 * time.Minute
	strangerWindow   = time.Hour
)

// guard is an attempt that was counted as a failure before it was made.
type guard struct {
	known  bool         // by the cookie of its browser
	proof  domain.Proof // what success uses up: it forgets what was counted
	failed int          // attempts before this one
	began  bool         // a lock, with this attempt
	until  time.Time
}

// name is what failures of a user, or of a name that nobody has, are counted
// under. A user's two names, username and e-mail address, are one.
func name(u domain.User, login string) string {
	if u.ID != "" {
		return u.ID
	}
	return "nobody " + strings.ToLower(login)
}

func (s *Service) counters(name string, c Client) (counters []domain.Counter, known bool) {
	hash := func(parts ...string) []byte { return s.Keys.Hash("attempts\x00" + strings.Join(parts, "\x00")) }
	if nonce, ok := s.deviceCookie(name, c); ok {
		return []domain.Counter{{
			Hash: hash("browser", name, nonce), Limit: browserFailures, Window: strangerWindow, Lock: time.Hour, Most: time.Hour, Streak: mostFailures,
		}}, true
	}
	return []domain.Counter{
		{
			Hash: hash("pair", name, ratelimit.AddrKey(c.Addr)), Limit: pairFailures, Window: pairWindow,
			Lock: 15 * time.Minute, Most: 24 * time.Hour,
		},
		{
			Hash: hash("strangers", name), Limit: strangerFailures, Window: strangerWindow,
			Lock: 15 * time.Minute, Most: time.Hour, Streak: mostFailures,
		},
	}, false
}

// reserve counts an attempt before it is made. A name that is locked is told so
// alike whether anybody has it or not, and no password is hashed for it.
func (s *Service) reserve(ctx context.Context, u domain.User, login string, c Client) (guard, error) {
	counters, known := s.counters(name(u, login), c)
	if !known && s.Human != nil {
		failed, err := s.Store.Failures(ctx, counters, s.Now())
		if err != nil {
			return guard{}, err
		}
		if failed >= askHuman {
			if err := s.human(ctx, "sign_in", c); err != nil {
				return guard{}, err
			}
		}
	}
	r, err := s.Store.Reserve(ctx, counters, s.Now())
	if err != nil {
		return guard{}, err
	}
	if !r.Locked.IsZero() {
		s.record(ctx, c, event{kind: domain.AuditLogin, user: u, typed: login, outcome: domain.AuditBlocked, reason: "locked"})
		return guard{}, locked(r, s.Now())
	}
	if r.Unlocked && u.ID != "" {
		s.record(ctx, c, event{kind: domain.AuditUnlock, user: u, reason: "time"})
	}
	g := guard{known: known, failed: r.Failures, began: r.Began, until: r.LockUntil}
	for _, counter := range counters {
		g.proof.Attempts = append(g.proof.Attempts, counter.Hash)
	}
	return g, nil
}

// giveBack takes back what was counted for an attempt that was no failure, and yet has
// led nowhere.
func (s *Service) giveBack(ctx context.Context, p domain.Proof) {
	if len(p.Attempts) == 0 {
		return
	}
	if err := s.Store.Release(context.WithoutCancel(ctx), p.Attempts...); err != nil {
		s.Log.Error("give an attempt back", "err", err)
	}
}

func locked(r domain.Reserved, now time.Time) error {
	if r.ForGood {
		return domain.RateLimited.Errorf(domain.CodeLocked,
			"too many failed attempts; sign in where you were signed in before, or choose a new password by the link in a mail").After(time.Hour)
	}
	return domain.RateLimited.Errorf(domain.CodeLocked,
		"too many failed attempts; wait, or sign in where you were signed in before").After(r.Locked.Sub(now))
}

// failed records a wrong password, and tells the user when it has led to a lock.
func (s *Service) failed(ctx context.Context, u domain.User, login string, g guard, c Client, reason string) {
	s.record(ctx, c, event{kind: domain.AuditLogin, user: u, typed: login, outcome: domain.AuditFailure, reason: reason})
	if !g.began || u.ID == "" {
		return
	}
	s.record(ctx, c, event{kind: domain.AuditLock, user: u, reason: "failures", details: map[string]string{"until": g.until.UTC().Format(time.RFC3339)}})
	if g.known || u.Email == "" || s.Mail == nil {
		return
	}
	s.later("lock notice", func(ctx context.Context) error {
		link, expires, err := s.link(ctx, domain.UnlockTicket, u, "", "/unlock", time.Hour)
		if err != nil {
			return err
		}
		return s.Mail.Queue(ctx, domain.Mail{
			To: u.Email, Template: domain.MailLocked, Once: "locked:" + u.ID, Data: domain.MailData{Username: u.Username, Link: link, Expires: expires},
		})
	})
}

// Unlock uses the link of a mail: whoever reads the user's mail may try again,
// from a browser that is known from now on.
func (s *Service) Unlock(ctx context.Context, secret string, c Client) (device Device, err error) {
	k, err := s.Store.UseTicket(ctx, s.Keys.Hash(secret), domain.UnlockTicket, s.Now())
	if err != nil {
		return Device{}, err
	}
	return s.letIn(ctx, k.User, c, "link")
}

// letIn forgets the failures of a user's name, and knows the browser.
func (s *Service) letIn(ctx context.Context, user string, c Client, reason string) (Device, error) {
	counters, _ := s.counters(user, Client{Addr: c.Addr})
	for _, counter := range counters {
		if err := s.Store.Refund(ctx, counter.Hash); err != nil {
			return Device{}, err
		}
	}
	s.record(ctx, c, event{kind: domain.AuditUnlock, user: domain.User{ID: user}, reason: reason})
	return s.newDevice(user), nil
}

// Device is the cookie by which a browser that has signed in as a user is known.
// It proves nothing else: with it, a password is still asked for.
type Device struct {
	Cookie string // name, without the prefix that https adds
	Value  string
}

func (s *Service) newDevice(name string) Device {
	nonce := token.Secret()[:22]
	return Device{deviceName(name), nonce + "." + s.deviceMAC(name, nonce)}
}

func deviceName(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "unhidra_d_" + hex.EncodeToString(sum[:4]) // one for each who uses this browser
}

func (s *Service) deviceMAC(name, nonce string) string {
	h := hmac.New(sha256.New, s.Keys.Derive("device-cookie"))
	h.Write([]byte(name + "\x00" + nonce))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// deviceCookie returns what the failures of a browser are counted under, if its
// cookie is ours and for this name.
func (s *Service) deviceCookie(name string, c Client) (nonce string, ok bool) {
	nonce, mac, _ := strings.Cut(c.Cookies[s.cookieName(deviceName(name))], ".")
	return nonce, hmac.Equal([]byte(mac), []byte(s.deviceMAC(name, nonce)))
}

// within refuses an address that asks too often, and tells the audit log, which
// counts the rest of a flood for itself.
func (s *Service) within(ctx context.Context, l *ratelimit.Limiter, policy string, c Client) error {
	if l == nil {
		return nil
	}
	ok, wait := l.AllowAddr(c.Addr, s.Now())
	if ok {
		return nil
	}
	if s.Audit != nil {
		s.Audit.Record(ctx, domain.AuditEvent{
			Type: domain.AuditRateLimited, Outcome: domain.AuditBlocked, Addr: c.Addr, UserAgent: c.UserAgent, RequestID: c.RequestID,
			Rate: domain.AuditRate{Policy: policy, KeyKind: "addr", Key: ratelimit.AddrKey(c.Addr)},
		})
	}
	return domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
		"too many attempts from your address; try again later").After(wait)
}
