package auth

import (
	"context"

	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/password"
	"github.com/unhidra/unhidra/internal/token"
)

// ForgotPassword mails a link by which a user chooses another password. The
// answer is the same whether there is such a user or not, and is given before
// anybody looks.
func (s *Service) ForgotPassword(ctx context.Context, login string, c Client) error {
	if s.Mail == nil {
		return errNoMail()
	}
	if err := s.human(ctx, "reset", c); err != nil {
		return err
	}
	if err := s.lockout.Within(ctx, s.mails, "mail", c); err != nil {
		return err
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditResetStart, Typed: login})
	s.Later(ctx, "reset a password", func(ctx context.Context) error {
		u, _, err := s.Store.Credentials(ctx, login)
		if domain.KindOf(err) == domain.NotFound || err == nil && (u.Email == "" || u.Disabled) {
			return nil
		}
		if err != nil {
			return err
		}
		if ok, _ := s.letters.Allow(u.ID, s.Now()); !ok {
			return nil
		}
		return s.SendReset(ctx, u)
	})
	return nil
}

// FactorsReset mails a user that an administrator took their second factors away.
func (s *Service) FactorsReset(ctx context.Context, u domain.User) {
	s.Notify(ctx, u, domain.MailSecondFactorRemoved, "", func(d *domain.MailData) { d.Factor = "every second factor" })
}

// ResetPassword uses the link of a mail. Every session ends; a second factor is
// asked for at the next sign-in as before.
func (s *Service) ResetPassword(ctx context.Context, secret, pass string, c Client) (lockout.Device, error) {
	u, err := s.ResetOf(ctx, secret)
	if err != nil {
		return lockout.Device{}, err
	}
	if err := password.Check(pass, s.PasswordMin, notInPassword(u)...); err != nil {
		return lockout.Device{}, err
	}
	record, err := s.Hasher.Hash(ctx, pass, password.Known)
	if err != nil {
		return lockout.Device{}, err
	}
	if u, err = s.UseReset(ctx, secret, record, c); err != nil {
		return lockout.Device{}, err
	}
	s.passwordChanged(ctx, u, c)
	if err := s.lockout.ForgiveFactors(ctx, u.ID); err != nil {
		return lockout.Device{}, err
	}
	return s.lockout.LetIn(ctx, u.ID, c, "password_reset")
}

func (s *Service) passwordChanged(ctx context.Context, u domain.User, c Client) {
	s.Notify(ctx, u, domain.MailPasswordChanged, "", func(d *domain.MailData) {
		d.Link, d.Address, d.Device = s.URL+"/forgot", c.Addr.String(), domain.DeviceLabel(c.UserAgent)
	})
}

// ChangePassword gives the caller another password. Every other session ends,
// and this one goes on with new tokens.
func (s *Service) ChangePassword(
	ctx context.Context, p domain.Principal, current, next string, c Client,
) (Signed, error) {
	if ok, wait := s.changes.Allow(p.ID, s.Now()); !ok {
		return Signed{}, domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"you changed your password too often; try again later").After(wait)
	}
	u, err := s.me(ctx, p)
	if err != nil {
		return Signed{}, err
	}
	has, err := s.FactorsOf(ctx, u.ID)
	if err != nil {
		return Signed{}, err
	}
	if has.Any() { // else the password that is asked for is all there is
		if err := s.Fresh(ctx, p); err != nil {
			return Signed{}, err
		}
	}
	if err := password.Check(next, s.PasswordMin, notInPassword(u)...); err != nil {
		return Signed{}, err
	}
	if err := s.confirmPassword(ctx, u, current, c); err != nil {
		return Signed{}, err
	}
	record, err := s.Hasher.Hash(ctx, next, password.Known)
	if err != nil {
		return Signed{}, err
	}
	amr := p.AMR
	if len(amr) == 0 {
		amr = []string{domain.AMRPassword}
	}
	session, refresh := s.Draft(u, amr, c), token.Secret()
	if u, err = s.Store.ReplacePassword(ctx, u.ID, record, p.SessionID, session, s.Keys.Hash(refresh),
		s.Now()); err != nil {
		return Signed{}, err
	}
	s.Revoke(ctx, bus.Revocation{User: u.ID, Session: p.SessionID, Reason: bus.Renewed})
	s.Revoke(ctx, bus.Revocation{User: u.ID, Epoch: u.Epoch, Reason: "password_changed"})
	s.Record(ctx, c, report.Event{Kind: domain.AuditPasswordChange, User: u, Session: session.ID})
	s.passwordChanged(ctx, u, c)
	return s.sign(u, session, refresh)
}

// ChangeEmail begins to change the caller's address: a mail with a link goes to the
// new one. Without a mail server nobody can prove an address, and none is changed.
func (s *Service) ChangeEmail(ctx context.Context, p domain.Principal, email string, c Client) error {
	if s.Mail == nil {
		return errNoMail()
	}
	if err := s.Fresh(ctx, p); err != nil {
		return err
	}
	email, err := domain.CheckEmail(email)
	if err != nil {
		return err
	}
	if email == "" {
		return domain.InvalidField("/email", "an e-mail address looks like ann@example.org")
	}
	u, err := s.me(ctx, p)
	if err != nil {
		return err
	}
	if err := s.mayMove(ctx, u, email, c); err != nil {
		return err
	}
	return s.SendEmailChange(ctx, u, p.Epoch, email)
}

// mayMove bounds the mails that somebody can have sent to addresses of strangers: by
// user, by client address, and by the address that gets them.
func (s *Service) mayMove(ctx context.Context, u domain.User, email string, c Client) error {
	ok, wait := s.moves.Allow(u.ID, s.Now())
	if ok {
		if err := s.lockout.Within(ctx, s.mails, "mail", c); err != nil {
			return err
		}
		ok, wait = s.targets.Allow(email, s.Now())
	}
	if !ok {
		return domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"enough mails went there just now; try again later").After(wait)
	}
	return nil
}

// ConfirmEmail uses the link that went to a new address, as links.Links does, and tells
// the user's connections.
func (s *Service) ConfirmEmail(ctx context.Context, secret string, c Client) (domain.User, error) {
	u, err := s.Links.ConfirmEmail(ctx, secret, c)
	if err == nil {
		s.tellOwn(ctx, u)
	}
	return u, err
}
