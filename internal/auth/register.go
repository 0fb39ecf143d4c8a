package auth

import (
	"context"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/password"
)

// Registration is what a new person says.
type Registration struct {
	Username, DisplayName, Email, Password string
	SetupToken                             string // of the first administrator's link
	Invite                                 string // code of an invitation to the server
}

// Register makes an account. With a mail server, the person proves their address
// first; without one they are signed in at once. With the first administrator's
// setup token the account is an administrator's, even while registration is
// closed, and needs no proof.
func (s *Service) Register(ctx context.Context, r Registration, c Client) (Signed, error) {
	by, err := s.signup(r)
	if err != nil {
		return Signed{}, err
	}
	u, err := s.newUser(r, by)
	if err != nil {
		return Signed{}, err
	}
	if by.Setup == nil {
		if err := s.human(ctx, "register", c); err != nil {
			return Signed{}, err
		}
	}
	u, err = s.createUser(ctx, u, r.Password, by, c)
	if u.Pending && domain.CodeOf(err) == domain.CodeEmailTaken {
		return s.taken(ctx, u, c) // the same answer: whose address it is is nobody's business
	}
	if err != nil {
		return Signed{}, err
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditRegister, User: u, Details: map[string]string{"role": string(u.Role)}})
	if u.Pending {
		s.sendVerification(ctx, u)
		return Signed{State: verifyEmail}, nil
	}
	return s.complete(ctx, u, lockout.Attempt{}, []string{domain.AMRPassword}, c)
}

// createUser keeps a new account. How many an address makes is limited, but for those
// whom somebody has invited; a form that is refused costs nothing but a part of what an
// address may try.
func (s *Service) createUser(
	ctx context.Context, u domain.User, pass string, by domain.Signup, c Client,
) (domain.User, error) {
	limited, err := by.Invite == nil && by.Setup == nil, s.lockout.Within(ctx, s.forms, "register", c)
	if err == nil && limited {
		err = s.lockout.Within(ctx, s.signups, "register", c)
	}
	if err != nil {
		return u, err
	}
	record, err := s.Hasher.Hash(ctx, pass, password.Stranger)
	if err == nil {
		u, err = s.Store.Register(ctx, u, record, by, s.Now())
	}
	if err != nil && limited && s.signups != nil && domain.CodeOf(err) != domain.CodeEmailTaken {
		s.signups.RefundAddr(c.Addr)
	}
	return u, err
}

// signup is what a registration rests on.
func (s *Service) signup(r Registration) (by domain.Signup, err error) {
	switch mode := s.rules.Load().Registration; {
	case r.SetupToken != "":
		by.Setup = s.Keys.Hash(r.SetupToken)
	case r.Invite != "": // an administrator made it, and may have closed the rest since
		by.Invite = s.Keys.Hash(r.Invite)
	case mode == RegisterClosed:
		return by, domain.Forbidden.Errorf(domain.CodeRegistrationClosed,
			"this server takes no new accounts; ask its administrator")
	case mode == RegisterInvite:
		return by, domain.Forbidden.Errorf(domain.CodeInviteNeeded,
			"registration here needs an invitation; ask an administrator for one")
	}
	return by, nil
}

func (s *Service) taken(ctx context.Context, u domain.User, c Client) (Signed, error) {
	s.Record(ctx, c, report.Event{Kind: domain.AuditRegister, Outcome: domain.AuditFailure, Reason: "email_taken"})
	s.Later(ctx, "address taken", func(ctx context.Context) error {
		owner, err := s.Store.UserByEmail(ctx, u.Email)
		if domain.KindOf(err) == domain.NotFound {
			return nil // it was somebody's until lately, and is kept for them
		}
		if err != nil {
			return err
		}
		return s.Mail.Queue(ctx, domain.Mail{
			To: owner.Email, Template: domain.MailEmailTaken, Once: "taken:" + owner.ID,
			Data: domain.MailData{Username: owner.Username, Link: s.URL + "/forgot"},
		})
	})
	return Signed{State: verifyEmail}, nil
}

func (s *Service) sendVerification(ctx context.Context, u domain.User) {
	if ok, _ := s.targets.Allow(u.Email, s.Now()); !ok {
		s.Log.WarnContext(ctx, "enough mails went to this address just now: left out", "user", u.ID)
		return
	}
	s.SendVerification(ctx, u)
}

// ResendVerification sends the mail to a new account's address once more, if
// there is such an account. Nobody learns whether there is.
func (s *Service) ResendVerification(ctx context.Context, email string, c Client) error {
	if s.Mail == nil {
		return errNoMail()
	}
	email, err := domain.CheckEmail(email)
	if err != nil {
		return err
	}
	if err := s.lockout.Within(ctx, s.mails, "mail", c); err != nil {
		return err
	}
	s.Later(ctx, "verify an address again", func(ctx context.Context) error {
		u, err := s.Store.UserByEmail(ctx, email)
		if err == nil && u.Pending {
			if ok, _ := s.letters.Allow(u.ID, s.Now()); ok {
				s.sendVerification(ctx, u)
			}
		}
		if domain.KindOf(err) == domain.NotFound {
			err = nil
		}
		return err
	})
	return nil
}

func errNoMail() error {
	return domain.Conflict.Errorf(domain.CodeNoMail, "this server cannot send mail; ask its administrator")
}

// newUser is the account that a registration asks for. An address is taken where a
// mail can prove it, and believed of who sets the server up, who may also be called as
// whoever runs a server is.
func (s *Service) newUser(r Registration, by domain.Signup) (u domain.User, err error) {
	if u, err = person(r, s.Now()); err != nil {
		return u, err
	}
	if by.Setup == nil {
		if _, err = names.CheckChosenUsername(u.Username); err != nil {
			return u, err
		}
	}
	switch {
	case by.Setup != nil:
		u.Role = domain.SystemAdmin
	case s.Mail == nil && u.Email != "":
		return u, domain.InvalidField("/email", "this server sends no mail and cannot prove an address; leave it out")
	case s.Mail != nil && u.Email == "":
		return u, domain.InvalidField("/email", "an e-mail address is required; a link is sent to it")
	default:
		u.Pending = s.Mail != nil
	}
	return u, password.Check(r.Password, s.PasswordMin, notInPassword(u)...)
}

// person is who somebody says that they are.
func person(r Registration, now time.Time) (u domain.User, err error) {
	u = domain.User{ID: domain.NewID(domain.UserPrefix), Kind: domain.KindUser, Role: domain.SystemUser, CreatedAt: now}
	if u.Username, err = names.CheckUsername(r.Username); err != nil {
		return u, err
	}
	if u.DisplayName, err = names.CheckPrincipal("/display_name", r.DisplayName, domain.MaxDisplayName,
		false); err != nil {
		return u, err
	}
	if u.DisplayName == "" {
		u.DisplayName = u.Username
	}
	u.Email, err = domain.CheckEmail(r.Email)
	return u, err
}

// notInPassword are what a password must not be made of.
func notInPassword(u domain.User) []string {
	local, _, _ := strings.Cut(u.Email, "@")
	return []string{u.Username, u.DisplayName, local}
}
