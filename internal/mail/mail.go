// Package mail sends the server's mails, each to one person: about accounts, and what somebody missed. A mail is
// queued in the store, which takes as long as any other write. A worker sends it, and retries for
// up to a day while the mail server is unavailable. This package decides what mails say; its
// callers decide when they are sent.
//
// The links in mails are secrets. They are encrypted in the store, deleted once the mail is sent,
// and never logged.
package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/trace"
)

// Store stores the queue. Package store/mails implements it.
type Store interface {
	QueueMail(ctx context.Context, m domain.QueuedMail, once string) (queued bool, err error)
	ClaimMail(ctx context.Context, lease time.Duration, now time.Time) (*domain.QueuedMail, error)
	RetryMail(ctx context.Context, id string, attempt int, next time.Time) error
	FinishMail(ctx context.Context, id string, sent bool, now time.Time) error
	WaitingMails(ctx context.Context) (int, error)
	MailState(ctx context.Context) (domain.MailState, error)
	PruneMails(ctx context.Context, before, now time.Time) error
}

// Deps are the dependencies of a Queue.
type Deps struct {
	Store   Store
	Sender  *Sender
	Key     []byte // 32 bytes, the same on every node: encrypts the content of mails
	Name    string // the server's name for users
	URL     string // the server's URL for users
	Log     *slog.Logger
	Metrics prometheus.Registerer // may be nil
	Trace   *trace.Tracer         // nil: off
	Now     func() time.Time      // nil: time.Now
}

// A Queue stores mails, and sends them while Run runs.
type Queue struct {
	Deps
	seal   sealer
	render *renderer
	wake   chan struct{}
	sent   *prometheus.CounterVec
}

// New returns a queue. Nothing is sent before Run.
func New(d Deps) (*Queue, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	q := &Queue{Deps: d, wake: make(chan struct{}, workers)}
	var err error
	if q.seal, err = newSealer(d.Key); err != nil {
		return nil, err
	}
	if q.render, err = newRenderer(d.Name, d.URL); err != nil {
		return nil, err
	}
	q.sent = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mail_attempts_total", Help: "Attempts to send a mail, by result: sent, retried, given_up.",
	}, []string{"result"})
	for _, r := range []string{"sent", "retried", "given_up"} {
		q.sent.WithLabelValues(r)
	}
	if d.Metrics != nil {
		waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mail_waiting",
			Help: "Mails that wait to be sent, on all nodes; -1: unknown."}, q.waiting)
		d.Metrics.MustRegister(q.sent, waiting)
	}
	return q, nil
}

func (q *Queue) waiting() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	n, err := q.Store.WaitingMails(ctx)
	if err != nil {
		return -1
	}
	return float64(n)
}

// Queue stores m until it is sent. Once Queue has returned, m survives a crash. Queue refuses a
// mail that could never be sent, because the address is invalid or a value that its template needs
// is missing.
func (q *Queue) Queue(ctx context.Context, m domain.Mail) error {
	queued, err := q.Prepare(ctx, m)
	if err != nil {
		return err
	}
	ok, err := q.Store.QueueMail(ctx, queued, m.Once)
	if err == nil && ok {
		q.Wake()
	}
	return err
}

// Prepare returns what Queue stores, for callers who store it with something else, and then call Wake.
func (q *Queue) Prepare(ctx context.Context, m domain.Mail) (queued domain.QueuedMail, err error) {
	if err := checkAddress(m.To); err != nil {
		return queued, domain.InvalidField("/email", "is not an e-mail address")
	}
	if _, _, _, err := q.render.render(m.Template, m.Data); err != nil {
		return queued, fmt.Errorf("mail %s: %w", m.Template, err)
	}
	now := q.Now()
	queued = domain.QueuedMail{ID: domain.NewID(idPrefix), To: m.To, Template: m.Template, Created: now,
		GiveUp: now.Add(giveUpAfter), Trace: trace.Parent(ctx)}
	if e := m.Data.Expires; !e.IsZero() && e.Before(queued.GiveUp) {
		queued.GiveUp = e // an expired link is useless
	}
	if !queued.GiveUp.After(now) {
		return queued, errors.New("mail " + string(m.Template) + ": its link has expired already")
	}
	queued.Data, err = q.seal.seal(queued.ID, m.Data)
	return queued, err
}

// Wake has a worker look at once for mails to send.
func (q *Queue) Wake() {
	select {
	case q.wake <- struct{}{}:
	default: // every worker has been notified
	}
}

const idPrefix = "mail"
