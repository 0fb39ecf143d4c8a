package auth

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/password"
	"github.com/unhidra/unhidra/internal/token"
)

const (
	resetLife = time.Hour
	emailLife = 24 * time.Hour
	undoLife  = 72 * time.Hour
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
	s.Later("reset a password", func(ctx context.Context) error {
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
		return s.sendReset(ctx, u)
	})
	return nil
}

// sendReset mails a link. Earlier ones end.
func (s *Service) sendReset(ctx context.Context, u domain.User) error {
	link, expires, err := s.link(ctx, domain.ResetTicket, u, "", "/reset", resetLife)
	if err != nil {
		return err
	}
	return s.Mail.Queue(ctx, domain.Mail{
		To: u.Email, Template: domain.MailResetPassword,
		Data: domain.MailData{Username: u.Username, Link: link, Expires: expires},
	})
}

// ResetLink returns a link by which a user chooses another password, for an
// administrator to pass on, and mails it where that is possible.
func (s *Service) ResetLink(ctx context.Context, u domain.User) (link string, mailed bool, err error) {
	if s.Mail != nil && u.Email != "" {
		return "", true, s.sendReset(ctx, u)
	}
	link, _, err = s.link(ctx, domain.ResetTicket, u, "", "/reset", resetLife)
	return link, false, err
}

// FactorsReset mails a user that an administrator took their second factors away.
func (s *Service) FactorsReset(u domain.User) {
	s.Notify(u, domain.MailSecondFactorRemoved, "", func(d *domain.MailData) { d.Factor = "every second factor" })
}

// ResetPassword uses the link of a mail. Every session ends; a second factor is
// asked for at the next sign-in as before.
func (s *Service) ResetPassword(ctx context.Context, secret, pass string, c Client) (lockout.Device, error) {
	hash := s.Keys.Hash(secret)
	u, err := s.Store.TicketUser(ctx, hash, domain.ResetTicket, s.Now())
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
	if u, err = s.Store.ResetPassword(ctx, hash, record, s.Now()); err != nil {
		return lockout.Device{}, err
	}
	s.Revoke(bus.Revocation{User: u.ID, Epoch: u.Epoch, Reason: "password_reset"})
	s.Record(ctx, c, report.Event{Kind: domain.AuditResetDone, User: u})
	s.passwordChanged(u, c)
	if err := s.lockout.ForgiveFactors(ctx, u.ID); err != nil {
		return lockout.Device{}, err
	}
	return s.lockout.LetIn(ctx, u.ID, c, "password_reset")
}

func (s *Service) passwordChanged(u domain.User, c Client) {
	s.Notify(u, domain.MailPasswordChanged, "", func(d *domain.MailData) {
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
	s.Revoke(bus.Revocation{User: u.ID, Session: p.SessionID, Reason: bus.Renewed})
	s.Revoke(bus.Revocation{User: u.ID, Epoch: u.Epoch, Reason: "password_changed"})
	s.Record(ctx, c, report.Event{Kind: domain.AuditPasswordChange, User: u, Session: session.ID})
	s.passwordChanged(u, c)
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
	secret := token.Secret()
	expires := s.Now().Add(emailLife)
	if err := s.Store.CreateTicket(ctx, s.Keys.Hash(secret),
		domain.Ticket{Kind: domain.EmailTicket, User: u.ID, Epoch: p.Epoch, Data: email, Expires: expires},
		s.Now()); err != nil {
		return err
	}
	s.Later("prove a new address", func(ctx context.Context) error {
		return s.Mail.Queue(ctx, domain.Mail{
			To: email, Template: domain.MailConfirmEmail,
			Data: domain.MailData{Username: u.Username, Link: s.URL + "/confirm-email#token=" + secret, Expires: expires},
		})
	})
	return nil
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

// ConfirmEmail uses the link that went to a new address. The old one is sent a
// link that undoes the change.
func (s *Service) ConfirmEmail(ctx context.Context, secret string, c Client) (domain.User, error) {
	undo := token.Secret()
	until := s.Now().Add(undoLife)
	var kept []byte
	if s.Mail != nil { // else nobody gets the link
		kept = s.Keys.Hash(undo)
	}
	u, old, err := s.Store.ChangeEmail(ctx, s.Keys.Hash(secret), kept, until, s.Now())
	if err != nil {
		return u, err
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditEmailChange, User: u})
	s.tellOwn(u)
	if s.Mail != nil && old != "" {
		s.Later("tell the old address", func(ctx context.Context) error {
			return s.Mail.Queue(ctx, domain.Mail{To: old, Template: domain.MailEmailChanged, Data: domain.MailData{
				Username: u.Username, NewEmail: u.Email, Link: s.URL + "/undo-email#token=" + undo, Expires: until,
			}})
		})
	}
	return u, nil
}

// UndoEmail uses the link that went to an earlier address, and ends all sessions.
// Somebody else may know the password: it is good no more, and a link by which to
// choose another one goes to the address that is the account's again. What was added
// since to sign in with is removed, and the owner is told of it.
func (s *Service) UndoEmail(ctx context.Context, secret string, c Client) (domain.User, error) {
	u, removed, err := s.Store.UndoEmail(ctx, s.Keys.Hash(secret), s.Now())
	if err != nil {
		return u, err
	}
	s.Revoke(bus.Revocation{User: u.ID, Epoch: u.Epoch, Reason: "email_undone"})
	s.Record(ctx, c, report.Event{Kind: domain.AuditEmailChange, User: u, Reason: "undone", Details: countsOf(removed)})
	if names := namesOf(removed); names != "" {
		s.Notify(u, domain.MailSecondFactorRemoved, "", func(d *domain.MailData) {
			d.Factor = "what was added since the change of your address (" + names + ")"
		})
	}
	if s.Mail != nil {
		s.Later("reset after an undone change", func(ctx context.Context) error { return s.sendReset(ctx, u) })
	}
	return u, nil
}

// countsOf tells the audit log what an undone change took away.
func countsOf(r domain.RemovedFactors) map[string]string {
	return map[string]string{
		"passkeys": fmt.Sprint(r.Passkeys), "totp": fmt.Sprint(r.TOTP),
		"recovery_codes": fmt.Sprint(r.RecoveryCodes), "identities": fmt.Sprint(r.Identities),
	}
}

// namesOf tells people what an undone change took away; empty: nothing.
func namesOf(r domain.RemovedFactors) string {
	var names []string
	for _, kind := range []struct {
		removed int64
		name    string
	}{
		{r.Passkeys, "passkeys"}, {r.TOTP, "an authenticator app"},
		{r.RecoveryCodes, "recovery codes"}, {r.Identities, "the sign-in by a provider"},
	} {
		if kind.removed > 0 {
			names = append(names, kind.name)
		}
	}
	return strings.Join(names, ", ")
}
