package auth

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
)

// event is something that the audit log is to know.
type event struct {
	kind    domain.AuditType
	user    domain.User         // whose account; the actor as well, if signed in
	typed   string              // what was typed for a name; only its hash is kept
	outcome domain.AuditOutcome // empty: success
	reason  string
	session string
	method  string   // pwd, totp, recovery, passkey, oidc, refresh
	factors []string // of the session
	details map[string]string
}

// record tells the audit log, and the ordinary one.
func (s *Service) record(ctx context.Context, c Client, e event) {
	if e.outcome == "" {
		e.outcome = domain.AuditSuccess
	}
	attrs := []slog.Attr{slog.String("outcome", string(e.outcome)), slog.String("user", e.user.ID), slog.String("addr", c.Addr.String())}
	for _, a := range []struct{ name, value string }{
		{"reason", e.reason}, {"session", e.session}, {"method", e.method}, {"request", c.RequestID}, {"factors", strings.Join(e.factors, " ")},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.name, a.value))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(e.details)) {
		attrs = append(attrs, slog.String(k, e.details[k]))
	}
	s.Log.LogAttrs(ctx, slog.LevelInfo, string(e.kind), attrs...)
	if s.Audit == nil {
		return
	}
	a := domain.AuditEvent{
		Type: e.kind, Outcome: e.outcome, Reason: e.reason, Session: e.session, Typed: e.typed, Method: e.method, Factors: e.factors, Details: e.details,
		Addr: c.Addr, UserAgent: c.UserAgent, RequestID: c.RequestID,
	}
	if e.user.ID != "" {
		a.Target = domain.AuditTarget{Kind: string(domain.KindUser), ID: e.user.ID}
		if e.outcome == domain.AuditSuccess { // else nobody has shown that it is they
			a.Actor = domain.AuditActor{Kind: string(domain.KindUser), ID: e.user.ID, Name: e.user.Username}
		}
	}
	s.Audit.Record(ctx, a)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// A task is work that goes on after the answer to a request, so that the answer
// takes as long whether or not there is a mail to send.
type task struct {
	name string
	do   func(ctx context.Context) error
}

const (
	tasksWaiting = 256
	taskTime     = 30 * time.Second
)

// later does something after the answer. If too much is waiting it is left out,
// and the log says so: everything done this way can be asked for again.
func (s *Service) later(name string, do func(ctx context.Context) error) {
	select {
	case s.tasks <- task{name, do}:
	default:
		s.leftOut.Add(1)
		s.Log.Error("too much is waiting: left out", "task", name)
	}
}

// work does what later was given until ctx is done, and then what is left.
func (s *Service) work(ctx context.Context) {
	for {
		select {
		case t := <-s.tasks:
			s.perform(context.WithoutCancel(ctx), t)
			continue
		default:
		}
		select {
		case t := <-s.tasks:
			s.perform(context.WithoutCancel(ctx), t)
		case <-ctx.Done():
			return
		}
	}
}

func (s *Service) perform(ctx context.Context, t task) {
	ctx, cancel := context.WithTimeout(ctx, taskTime)
	defer cancel()
	if err := t.do(ctx); err != nil {
		s.Log.Error("work after an answer", "task", t.name, "err", err)
	}
}

// link makes a ticket and the link that a mail has of it. The secret is in the
// fragment: no server is sent it by following the link, nor logs it, and what
// reads mails ahead of people uses nothing up.
func (s *Service) link(ctx context.Context, kind domain.TicketKind, u domain.User, data, path string, life time.Duration) (link string, expires time.Time, err error) {
	secret := token.Secret()
	expires = s.Now().Add(life)
	err = s.Store.CreateTicket(ctx, s.Keys.Hash(secret), domain.Ticket{Kind: kind, User: u.ID, Epoch: u.Epoch, Data: data, Expires: expires}, s.Now())
	return s.URL + path + "#token=" + secret, expires, err
}

// notify mails a user about their account, after the answer. Without a mail
// server, or without an address, nothing is sent.
func (s *Service) notify(u domain.User, template domain.MailTemplate, once string, fill func(d *domain.MailData)) {
	if s.Mail == nil || u.Email == "" {
		return
	}
	d := domain.MailData{Username: u.Username, At: s.Now(), Link: s.URL + "/settings/security"}
	if fill != nil {
		fill(&d)
	}
	s.later(string(template), func(ctx context.Context) error {
		return s.Mail.Queue(ctx, domain.Mail{To: u.Email, Template: template, Once: once, Data: d})
	})
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
		s.record(ctx, c, event{kind: domain.AuditCaptchaFailed, outcome: domain.AuditFailure, reason: string(domain.CodeOf(err)), details: map[string]string{"action": action}})
	}
	return err
}
