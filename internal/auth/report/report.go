// Package report tells of what happened to accounts: the audit log, the ordinary one, and
// their owners, by mail. What is sent goes out after the answer to a request, so that no
// answer's time tells whether there was a mail to send.
package report

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/trace"
)

// Mailer queues mails.
type Mailer interface {
	Queue(ctx context.Context, m domain.Mail) error
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Client says where a request comes from, and what its browser showed.
type Client struct {
	Addr      netip.Addr
	UserAgent string
	RequestID string
	Cookies   map[string]string
	Captcha   string // answer to one
}

// A Reporter tells of what happened.
type Reporter struct {
	Mail  Mailer   // nil: there is no mail server
	Audit Recorder // nil: nothing is recorded but in the log
	Log   *slog.Logger
	Now   func() time.Time
	URL   string        // where people reach the server
	Trace *trace.Tracer // nil: off

	tasks   chan task
	leftOut atomic.Int64 // tasks that found the queue full
}

// New returns a reporter that has a log and nothing else yet.
func New(log *slog.Logger) *Reporter {
	return &Reporter{Log: log, Now: time.Now, tasks: make(chan task, tasksWaiting)}
}

// Queue is where what follows an answer waits.
func (r *Reporter) Queue() obs.Queue {
	return obs.Queue{Name: "after_answers", Limit: tasksWaiting, Depth: func() int { return len(r.tasks) },
		Full: r.leftOut.Load}
}

// Event is something that the audit log is to know.
type Event struct {
	Kind    domain.AuditType
	User    domain.User         // whose account; the actor as well, if signed in
	Typed   string              // what was typed for a name; only its hash is kept
	Outcome domain.AuditOutcome // empty: success
	Reason  string
	Session string
	Method  string   // pwd, totp, recovery, passkey, oidc, refresh
	Factors []string // of the session
	Details map[string]string
}

// Record tells the audit log, and the ordinary one.
func (r *Reporter) Record(ctx context.Context, c Client, e Event) {
	if e.Outcome == "" {
		e.Outcome = domain.AuditSuccess
	}
	attrs := []slog.Attr{slog.String("outcome", string(e.Outcome)), slog.String("user", e.User.ID),
		slog.String("addr", c.Addr.String())}
	for _, a := range []struct{ name, value string }{
		{"reason", e.Reason}, {"session", e.Session}, {"method", e.Method}, {"request", c.RequestID},
		{"factors", strings.Join(e.Factors, " ")},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.name, a.value))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(e.Details)) {
		attrs = append(attrs, slog.String(k, e.Details[k]))
	}
	r.Log.LogAttrs(ctx, slog.LevelInfo, string(e.Kind), attrs...)
	if r.Audit == nil {
		return
	}
	a := domain.AuditEvent{
		Type: e.Kind, Outcome: e.Outcome, Reason: e.Reason, Session: e.Session, Typed: e.Typed, Method: e.Method,
		Factors: e.Factors, Details: e.Details,
		Addr: c.Addr, UserAgent: c.UserAgent, RequestID: c.RequestID,
	}
	if e.User.ID != "" {
		a.Target = domain.AuditTarget{Kind: string(domain.KindUser), ID: e.User.ID}
		if e.Outcome == domain.AuditSuccess { // else nobody has shown that it is they
			a.Actor = domain.AuditActor{Kind: string(domain.KindUser), ID: e.User.ID, Name: e.User.Username}
		}
	}
	r.Audit.Record(ctx, a)
}

// A task is work that goes on after the answer to a request, so that the answer
// takes as long whether or not there is a mail to send.
type task struct {
	ctx   context.Context // of the request, without its end
	name  string
	trace string // traceparent of the request; empty: it is not traced
	do    func(ctx context.Context) error
}

const (
	tasksWaiting = 256
	taskTime     = 30 * time.Second
)

// Later does something after the answer to the request of ctx, as a part of its trace.
// If too much is waiting it is left out, and the log says so: everything done this way
// can be asked for again.
func (r *Reporter) Later(ctx context.Context, name string, do func(ctx context.Context) error) {
	select {
	case r.tasks <- task{context.WithoutCancel(ctx), name, trace.Parent(ctx), do}:
	default:
		r.leftOut.Add(1)
		r.Log.ErrorContext(ctx, "too much is waiting: left out", "task", name)
	}
}

// Work does what Later was given until ctx is done, and then what is left.
func (r *Reporter) Work(ctx context.Context) {
	for {
		select {
		case t := <-r.tasks:
			r.perform(t)
			continue
		default:
		}
		select {
		case t := <-r.tasks:
			r.perform(t)
		case <-ctx.Done():
			return
		}
	}
}

func (r *Reporter) perform(t task) {
	ctx, cancel := context.WithTimeout(t.ctx, taskTime)
	defer cancel()
	ctx, span := r.Trace.Continue(ctx, "auth.after_answer", t.trace)
	span.Note(trace.String("unhidra.task", t.name))
	err := t.do(ctx)
	span.End(err)
	if err != nil {
		r.Log.ErrorContext(ctx, "work after an answer", "task", t.name, "err", err)
	}
}

// Notify mails a user about their account, after the answer. Without a mail
// server, or without an address, nothing is sent.
func (r *Reporter) Notify(
	ctx context.Context, u domain.User, template domain.MailTemplate, once string, fill func(d *domain.MailData),
) {
	if r.Mail == nil || u.Email == "" {
		return
	}
	d := domain.MailData{Username: u.Username, At: r.Now(), Link: r.URL + "/settings/security"}
	if fill != nil {
		fill(&d)
	}
	r.Later(ctx, string(template), func(ctx context.Context) error {
		return r.Mail.Queue(ctx, domain.Mail{To: u.Email, Template: template, Once: once, Data: d})
	})
}
