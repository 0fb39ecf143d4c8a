package mail

import (
	"context"
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	workers     = 4 // mails on their way at a time, from this node
	lease       = 2 * sendTimeout
	giveUpAfter = 24 * time.Hour
	minBackoff  = 30 * time.Second
	maxBackoff  = 2 * time.Hour
	pollEvery   = 5 * time.Second // for what other nodes queued, and for retries
	keepFor     = 7 * 24 * time.Hour
	forgetEvery = time.Hour
	stopGrace   = 5 * time.Second // for a mail that is half said when the server stops
)

// Run sends what is queued until ctx is done. Any number of nodes may run at a
// time: each mail is claimed by one. A node that dies with a mail half said
// leaves it to the others after a while; that mail may then come twice, with the
// same Message-ID.
func (q *Queue) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { q.work(ctx) })
	}
	wg.Go(func() { q.prune(ctx) })
	wg.Wait()
	return ctx.Err()
}

func (q *Queue) work(ctx context.Context) {
	look := time.NewTicker(pollEvery)
	defer look.Stop()
	for {
		m, err := q.Store.ClaimMail(ctx, lease, q.Now())
		if err != nil && ctx.Err() == nil {
			q.Log.Warn("look for mails to send", "err", err)
		}
		if m != nil {
			q.deliver(ctx, *m)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-look.C:
		}
	}
}

func (q *Queue) prune(ctx context.Context) {
	forget := time.NewTicker(forgetEvery)
	defer forget.Stop()
	for {
		if err := q.Store.PruneMails(ctx, q.Now().Add(-keepFor), q.Now()); err != nil && ctx.Err() == nil {
			q.Log.Warn("forget old mails", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-forget.C:
		}
	}
}

// deliver tries one claimed mail once, and records what became of it.
func (q *Queue) deliver(ctx context.Context, m domain.QueuedMail) {
	ctx, cancel := outlive(ctx, stopGrace)
	defer cancel()
	err := q.attempt(ctx, m)
	record := context.WithoutCancel(ctx)
	now := q.Now()
	next := now.Add(backoff(m.Attempts))
	_, host, _ := strings.Cut(m.To, "@")
	log := q.Log.With("mail", m.ID, "template", m.Template, "to_domain", host, "attempt", m.Attempts)
	// What is said of a mail is true already: it is recorded first.
	var lost error
	switch {
	case err == nil:
		lost = q.Store.FinishMail(record, m.ID, true, now)
		q.sent.WithLabelValues("sent").Inc()
		log.Info("mail sent")
	case permanent(err) || errors.Is(err, errPermanent) || next.After(m.GiveUp):
		lost = q.Store.FinishMail(record, m.ID, false, now)
		q.sent.WithLabelValues("given_up").Inc()
		log.Error("mail given up", "err", sanitized(err, m.To))
	default:
		lost = q.Store.RetryMail(record, m.ID, m.Attempts, next)
		q.sent.WithLabelValues("retried").Inc()
		log.Warn("mail not sent yet", "err", sanitized(err, m.To), "next", next)
	}
	if lost != nil {
		log.Warn("record what became of a mail; it may be tried again too early", "err", lost)
	}
}

// outlive returns a context that ends a while after ctx does.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() { stop(); cancel() }
}

// errPermanent marks mails that no later try can send.
var errPermanent = errors.New("this mail cannot be sent")

func (q *Queue) attempt(ctx context.Context, m domain.QueuedMail) error {
	if !q.Now().Before(m.GiveUp) {
		return errors.Join(errPermanent, errors.New("it waited for too long"))
	}
	d, err := q.seal.open(m.ID, m.Data)
	if err != nil {
		return errors.Join(errPermanent, err)
	}
	subject, text, html, err := q.render.render(m.Template, d)
	if err != nil {
		return errors.Join(errPermanent, err)
	}
	body, err := compose(q.Sender.from, m.To, m.ID, subject, text, html, m.Created)
	if err != nil {
		return errors.Join(errPermanent, err)
	}
	return q.Sender.Send(ctx, m.To, body)
}

// backoff is how long to wait after so many attempts: half a minute, doubling to
// two hours, and a fifth more or less, so that mails do not come back all at once.
func backoff(attempts int) time.Duration {
	d := maxBackoff
	if attempts < 10 {
		d = min(maxBackoff, minBackoff<<max(0, attempts-1))
	}
	return d*4/5 + rand.N(d*2/5)
}

var addresses = regexp.MustCompile(`(?i)https?:\S+`)

// sanitized is an error as the log may have it. Mail servers repeat what they
// dislike: a recipient, or a link.
func sanitized(err error, recipient string) string {
	s := addresses.ReplaceAllString(oneLine(err.Error()), "[link]")
	s = strings.ReplaceAll(s, recipient, "[recipient]")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "..."
	}
	return s
}
