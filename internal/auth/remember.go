package auth

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
)

const rememberLife = 30 * 24 * time.Hour // from the second factor on, however often it is used

// Remember is the cookie of a browser that is not asked for a second factor.
type Remember struct {
	Cookie string // name, without the prefix that https adds
	Value  string
	Until  time.Time
}

func rememberName(user string) string {
	return strings.Replace(lockout.CookieOf(user), "_d_", "_r_", 1)
}

// remember has the browser not asked again. It is done after a second factor
// only, and never after a recovery code.
func (s *Service) remember(ctx context.Context, u domain.User, c Client) (Remember, error) {
	now, secret := s.Now(), token.Secret()
	r := domain.Remembered{
		ID: domain.NewID(domain.RememberPrefix), User: u.ID, Epoch: u.Epoch, CreatedAt: now, UsedAt: now,
		Expires: now.Add(rememberLife),
		IP:      c.Addr.String(), UserAgent: c.UserAgent,
	}
	if err := s.Store.Remember(ctx, r, s.Keys.Hash(secret)); err != nil {
		return Remember{}, err
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditRememberAdd, User: u})
	return Remember{rememberName(u.ID), r.ID + "." + secret, r.Expires}, nil
}

// remembered completes the sign-in of a browser that need not be asked, and gives it
// another secret for the next time. It reports whether this is one.
func (s *Service) remembered(
	ctx context.Context, u domain.User, g lockout.Attempt, amr []string, c Client,
) (Signed, bool, error) {
	name := rememberName(u.ID)
	id, secret, found := strings.Cut(c.Cookies[s.cookieName(name)], ".")
	if !found {
		return Signed{}, false, nil
	}
	next, refresh := token.Secret(), token.Secret()
	session := s.Draft(u, append(slices.Clip(amr), amrRemembered), c)
	ok, fresh, err := s.Store.BeginRemembered(ctx, session, u.Epoch, s.Keys.Hash(refresh), g.Proof,
		domain.RememberedUse{ID: id, Hash: s.Keys.Hash(secret), Next: s.Keys.Hash(next)})
	if err != nil || !ok {
		return Signed{}, false, err
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditRememberUse, User: u})
	signed, err := s.signedIn(ctx, u, session, refresh, g, c)
	if fresh { // else another tab has the next secret
		signed.Remember = Remember{name, id + "." + next, s.Now().Add(rememberLife)}
	}
	return signed, true, err
}

// ForgetBrowser has one of the caller's browsers asked again, or all with an
// empty id.
func (s *Service) ForgetBrowser(ctx context.Context, p domain.Principal, id string, c Client) error {
	if err := s.Store.ForgetRemembered(ctx, p.ID, id); err != nil {
		return err
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditRememberRevoke, User: domain.User{ID: p.ID}, Session: p.SessionID})
	return nil
}
