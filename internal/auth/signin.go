package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/auth/sessions"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/password"
	"github.com/unhidra/unhidra/internal/token"
)

// Signed is where a sign-in stands. Tokens are there once it is complete; a
// ticket is there while more is asked for.
type Signed struct {
	State   string
	Ticket  string   // for the next step
	Methods []string // that it can be done by: totp, recovery, passkey
	sessions.Tokens

	Device   lockout.Device // the browser is known by it from now on
	Remember factor.Browser // and not asked for a second factor
}

// States of a sign-in.
const (
	SecondFactor = "second_factor" // is asked for
	Complete     = "complete"
	verifyEmail  = "verify_email" // a mail is on its way
)

// SignIn begins a sign-in with a username or e-mail address and a password, and
// goes as far as that leads. Nobody learns whether such a user exists: the
// answer and its cost are the same.
func (s *Service) SignIn(ctx context.Context, login, pass string, c Client) (Signed, error) {
	if err := s.lockout.Within(ctx, s.logins, "login", c); err != nil {
		return Signed{}, err
	}
	login = strings.TrimSpace(login)
	if len(login) > 254 || len(pass) > password.MaxBytes {
		return Signed{}, errCredentials()
	}
	u, g, err := s.checkPassword(ctx, login, pass, c)
	if err != nil {
		return Signed{}, err
	}
	if u.Pending {
		if err := s.lockout.Forgive(ctx, g.Proof); err != nil {
			return Signed{}, err
		}
		s.Record(ctx, c, report.Event{Kind: domain.AuditLogin, User: u, Outcome: domain.AuditFailure,
			Reason: "email_not_verified", Method: domain.AMRPassword})
		return Signed{}, domain.Forbidden.Errorf(domain.CodeEmailNotVerified,
			"open the link in the mail that was sent to you first")
	}
	signed, err := s.proven(ctx, u, g, []string{domain.AMRPassword}, c)
	if err != nil {
		s.lockout.GiveBack(ctx, g.Proof)
	}
	return signed, err
}

func errCredentials() error {
	return domain.Unauthorized.Errorf(domain.CodeInvalidCredentials, "the name or the password is wrong")
}

// checkPassword finds out whose password this is. A wrong one, nobody's, and one
// of somebody who is kept out look the same, take as long, and count alike. The attempt
// stays counted until the commit that acts on the proof of the guard.
func (s *Service) checkPassword(
	ctx context.Context, login, pass string, c Client,
) (domain.User, lockout.Attempt, error) {
	u, record, err := s.Store.Credentials(ctx, login)
	if err != nil && domain.KindOf(err) != domain.NotFound {
		return u, lockout.Attempt{}, err
	}
	g, err := s.lockout.Reserve(ctx, u, login, c)
	if err != nil {
		return u, g, err
	}
	ok, stale, err := s.verify(ctx, fmt.Sprint(g.Known, lockout.Name(u, login)), record, pass, g.Known)
	if err != nil {
		s.lockout.GiveBack(ctx, g.Proof)
		return u, g, err
	}
	if !ok || u.Disabled || u.GuestEnded(s.Now()) {
		reason := "invalid_credentials"
		if ok {
			reason = "disabled"
		}
		s.failed(ctx, u, login, g, c, reason)
		if ok && u.GuestEnded(s.Now()) {
			return u, g, domain.ErrGuestEnded(u.GuestUntil)
		}
		return u, g, errCredentials()
	}
	if stale {
		s.rehash(ctx, u.ID, record, pass)
	}
	return u, g, nil
}

// verify compares a password in the turn of who is named.
func (s *Service) verify(ctx context.Context, who, record, pass string, known bool) (ok, stale bool, err error) {
	done, err := s.shares.Take(who)
	if err != nil {
		return false, false, err
	}
	defer done()
	return s.Hasher.Verify(ctx, record, pass, password.Trust(known))
}

func (s *Service) rehash(ctx context.Context, user, old, pass string) {
	record, err := s.Hasher.Hash(ctx, pass, password.Known)
	if err == nil {
		err = s.Store.UpgradePassword(ctx, user, old, record)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "a password's record stays as it was", "user", user, "err", err)
	}
}

// proven goes on with a user whose identity has been proven by one factor: to
// the end, or to the second.
func (s *Service) proven(
	ctx context.Context, u domain.User, g lockout.Attempt, amr []string, c Client,
) (Signed, error) {
	has, err := s.FactorsOf(ctx, u.ID)
	if err != nil {
		return Signed{}, err
	}
	if !has.Any() {
		return s.complete(ctx, u, g, amr, c)
	}
	if signed, ok, err := s.remembered(ctx, u, g, amr, c); ok || err != nil {
		return signed, err
	}
	f := domain.Flow{ID: domain.NewID(domain.FlowPrefix), User: u.ID, Epoch: u.Epoch, State: SecondFactor, AMR: amr,
		Expires: s.Now().Add(flowLife)}
	secret := token.Secret()
	if err := s.Store.CreateFlow(ctx, f, s.Keys.Hash(secret), g.Proof, s.Now()); err != nil {
		return Signed{}, err
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditLogin, User: u, Reason: SecondFactor, Method: amr[0]})
	return Signed{State: SecondFactor, Ticket: secret, Methods: methods(has)}, nil
}

func methods(f domain.Factors) []string {
	var m []string
	if f.Passkeys > 0 {
		m = append(m, "passkey")
	}
	if f.TOTP {
		m = append(m, "totp")
	}
	if f.RecoveryCodes > 0 {
		m = append(m, "recovery")
	}
	return m
}

// complete ends a sign-in that took one step and lacks nothing any more. The
// account must still be as it was when u was read.
func (s *Service) complete(
	ctx context.Context, u domain.User, g lockout.Attempt, amr []string, c Client,
) (Signed, error) {
	session, refresh := s.Draft(u, amr, c), token.Secret()
	if err := s.Store.BeginSession(ctx, session, u.Epoch, s.Keys.Hash(refresh), g.Proof); err != nil {
		return Signed{}, err
	}
	return s.signedIn(ctx, u, session, refresh, g, c)
}

// completeFlow ends a sign-in whose second step was taken. No step can be skipped
// or repeated: the flow ends with the commit that begins the session, and with it
// what was shown.
func (s *Service) completeFlow(
	ctx context.Context, f domain.Flow, u domain.User, v shown, c Client,
) (Signed, error) {
	session, refresh := s.Draft(u, f.AMR, c), token.Secret()
	err := s.Store.CompleteFlow(ctx, f, session, s.Keys.Hash(refresh), v.Proof, s.Now())
	if err := s.settle(ctx, u, v, err, c); err != nil {
		return Signed{}, err
	}
	return s.signedIn(ctx, u, session, refresh, lockout.Attempt{}, c)
}

// signedIn tells of a session that was begun, and makes its tokens.
func (s *Service) signedIn(
	ctx context.Context, u domain.User, session domain.Session, refresh string, g lockout.Attempt, c Client,
) (Signed, error) {
	s.Record(ctx, c, report.Event{Kind: domain.AuditLogin, User: u, Session: session.ID, Method: session.AMR[0],
		Factors: session.AMR})
	if _, known := s.lockout.Known(u.ID, c); !known && !u.LastSeenAt.IsZero() || g.Failed >= lockout.PairFailures {
		s.Notify(ctx, u, domain.MailNewSignIn, "new_sign_in:"+u.ID,
			func(d *domain.MailData) { d.Address, d.Device = c.Addr.String(), domain.DeviceLabel(c.UserAgent) })
	}
	signed, err := s.sign(u, session, refresh)
	signed.Device = s.lockout.NewDevice(u.ID)
	return signed, err
}

// sign makes the tokens of a session, with which a sign-in is complete.
func (s *Service) sign(u domain.User, begun domain.Session, refresh string) (Signed, error) {
	t, err := s.Sign(u, begun, refresh)
	return Signed{State: Complete, Tokens: t}, err
}

// limited reports whether somebody must have a second factor, and has shown none.
func (s *Service) limited(u domain.User, amr []string) bool {
	return s.rules.Load().SecondFactor.Asks(u.Role) && !slices.Contains(amr, domain.AMRSecondFactor) &&
		!slices.Contains(amr, domain.AMRRemembered)
}

// Refresh gives new tokens for a refresh token, as sessions.Sessions does.
func (s *Service) Refresh(ctx context.Context, refresh string, c Client) (Signed, error) {
	t, err := s.Sessions.Refresh(ctx, refresh, c)
	if err != nil {
		return Signed{}, err
	}
	return Signed{State: Complete, Tokens: t}, nil
}
