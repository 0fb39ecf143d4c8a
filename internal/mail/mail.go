// Package mail sends the mails of the server: about accounts, to one person at a
// time. A mail is queued in the store, which takes no longer than any other
// write, and sent by a worker: again and again while the mail server is away, for
// up to a day. What each mail says is decided here, when it is sent is decided by
// who queues it.
//
// The links in mails are secrets. They stand sealed in the store, are dropped
// once the mail is sent, and never reach a log.
package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

// Store keeps the mails that wait. Package store/mails has one.
type Store interface {
	QueueMail(ctx context.Context, m domain.QueuedMail, once string) (queued bool, err error)
	ClaimMail(ctx context.Context, lease time.Duration, now time.Time) (*domain.QueuedMail, error)
	RetryMail(ctx context.Context, id string, attempt int, next time.Time) error
	FinishMail(ctx context.Context, id string, sent bool, now time.Time) error
	WaitingMails(ctx context.Context) (int, error)
	MailState(ctx context.Context) (domain.MailState, error)
	PruneMails(ctx context.Context, before, now time.Time) error
}

// Deps are what a Queue needs.
type Deps struct {
	Store   Store
	Sender  *Sender
	Key     []byte // 32 bytes, the same on every node, that seal what mails say
	Name    string // of the server, as people see it
	URL     string // where they reach it
	Log     *slog.Logger
	Metrics prometheus.Registerer // may be nil
	Now     func() time.Time      // nil: the clock
}

// A Queue takes mails and sends them while Run runs.
type Queue struct {
	Deps
	seal   sealer
	render *renderer
	wake   chan struct{}
	sent   *prometheus.CounterVec
}

// New returns a queue.
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

// Queue keeps m until it is sent. Once it has returned, m survives a crash. A
// mail that could never be sent, for want of an address or of a value that its
// template names, is refused here.
func (q *Queue) Queue(ctx context.Context, m domain.Mail) error {
	if err := checkAddress(m.To); err != nil {
		return domain.InvalidField("/email", "is not an e-mail address")
	}
	if _, _, _, err := q.render.render(m.Template, m.Data); err != nil {
		return fmt.Errorf("mail %s: %w", m.Template, err)
	}
	now := q.Now()
	queued := domain.QueuedMail{ID: domain.NewID(idPrefix), To: m.To, Template: m.Template, Created: now,
		GiveUp: now.Add(giveUpAfter)}
	if e := m.Data.Expires; !e.IsZero() && e.Before(queued.GiveUp) {
		queued.GiveUp = e // a link that has ended helps nobody
	}
	if !queued.GiveUp.After(now) {
		return errors.New("mail " + string(m.Template) + ": its link has expired already")
	}
	var err error
	if queued.Data, err = q.seal.seal(queued.ID, m.Data); err != nil {
		return err
	}
	ok, err := q.Store.QueueMail(ctx, queued, m.Once)
	if err != nil || !ok {
		return err
	}
	select {
	case q.wake <- struct{}{}:
	default: // every worker is about to look
	}
	return nil
}

const idPrefix = "mail"
