package auth

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
)

// failed records a wrong password, and tells the user when it has led to a lock.
func (s *Service) failed(ctx context.Context, u domain.User, login string, g lockout.Attempt, c Client, reason string) {
	s.Record(ctx, c, report.Event{Kind: domain.AuditLogin, User: u, Typed: login, Outcome: domain.AuditFailure,
		Reason: reason})
	if !g.Began || u.ID == "" {
		return
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditLock, User: u, Reason: "failures",
		Details: map[string]string{"until": g.Until.UTC().Format(time.RFC3339)}})
	if g.Known || u.Email == "" || s.Mail == nil {
		return
	}
	s.Later("lock notice", func(ctx context.Context) error {
		link, expires, err := s.link(ctx, domain.UnlockTicket, u, "", "/unlock", time.Hour)
		if err != nil {
			return err
		}
		return s.Mail.Queue(ctx, domain.Mail{
			To: u.Email, Template: domain.MailLocked, Once: "locked:" + u.ID,
			Data: domain.MailData{Username: u.Username, Link: link, Expires: expires},
		})
	})
}

// Unlock uses the link of a mail: whoever reads the user's mail may try again,
// from a browser that is known from now on.
func (s *Service) Unlock(ctx context.Context, secret string, c Client) (device lockout.Device, err error) {
	k, err := s.Store.UseTicket(ctx, s.Keys.Hash(secret), domain.UnlockTicket, s.Now())
	if err != nil {
		return lockout.Device{}, err
	}
	return s.lockout.LetIn(ctx, k.User, c, "link")
}

// link makes a ticket and the link that a mail has of it. The secret is in the
// fragment: no server is sent it by following the link, nor logs it, and what
// reads mails ahead of people uses nothing up.
func (s *Service) link(
	ctx context.Context, kind domain.TicketKind, u domain.User, data, path string, life time.Duration,
) (link string, expires time.Time, err error) {
	secret := token.Secret()
	expires = s.Now().Add(life)
	err = s.Store.CreateTicket(ctx, s.Keys.Hash(secret),
		domain.Ticket{Kind: kind, User: u.ID, Epoch: u.Epoch, Data: data, Expires: expires}, s.Now())
	return s.URL + path + "#token=" + secret, expires, err
}

// human asks for a CAPTCHA, if this server has one.
func (s *Service) human(ctx context.Context, action string, c Client) error {
	if s.Human == nil {
		return nil
	}
	if c.Captcha == "" {
		return domain.Forbidden.Errorf(domain.CodeCaptchaRequired, "solve the CAPTCHA first")
	}
	err := s.Human.Check(ctx, c.Captcha, action, c.Addr)
	if domain.KindOf(err) == domain.Forbidden {
		s.Record(ctx, c, report.Event{Kind: domain.AuditCaptchaFailed, Outcome: domain.AuditFailure,
			Reason: string(domain.CodeOf(err)), Details: map[string]string{"action": action}})
	}
	return err
}
