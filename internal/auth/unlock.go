package auth

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
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
	s.SendUnlock(ctx, u)
}

// Unlock uses the link of a mail: whoever reads the user's mail may try again,
// from a browser that is known from now on.
func (s *Service) Unlock(ctx context.Context, secret string, c Client) (device lockout.Device, err error) {
	user, err := s.UseUnlock(ctx, secret)
	if err != nil {
		return lockout.Device{}, err
	}
	return s.lockout.LetIn(ctx, user, c, "link")
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
