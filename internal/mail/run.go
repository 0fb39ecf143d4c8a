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
	"github.com/unhidra/unhidra/internal/trace"
)

const (
	workers     = 4 // mails that this node sends concurrently
	lease       = 2 * sendTimeout
	giveUpAfter = 24 * time.Hour
	minBackoff  = 30 * time.Second
	maxBackoff  = 2 * time.Hour
	pollEvery   = 5 * time.Second // finds retries, and mails that other nodes queued
	keepFor     = 7 * 24 * time.Hour
	forgetEvery = time.Hour
	stopGrace   = 5 * time.Second // for a mail that is being sent when the server stops
)

// Run sends queued mails until ctx is done. Any number of nodes may run at a time: one of them
// claims each mail. If a node dies while it sends a mail, another one takes over when the claim
// ends. That mail may arrive twice, with the same Message-ID.
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
			q.Log.WarnContext(ctx, "look for mails to send", "err", err)
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
			q.Log.WarnContext(ctx, "forget old mails", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-forget.C:
		}
	}
}

// deliver tries once to send a claimed mail, and records the result.
func (q *Queue) deliver(ctx context.Context, m domain.QueuedMail) {
	ctx, cancel := outlive(ctx, stopGrace)
	defer cancel()
	ctx, span := q.Trace.Continue(ctx, "mail.send", m.Trace)
	span.Note(trace.String("unhidra.mail", m.ID), trace.Int("unhidra.attempt", m.Attempts))
	err := q.attempt(ctx, m)
	span.End(err)
	record := context.WithoutCancel(ctx)
	now := q.Now()
	next := now.Add(backoff(m.Attempts))
	_, host, _ := strings.Cut(m.To, "@")
	log := q.Log.With("mail", m.ID, "template", m.Template, "to_domain", host, "attempt", m.Attempts)
	// The result is recorded in the store before it is counted and logged.
	var lost error
	switch {
	case err == nil:
		lost = q.Store.FinishMail(record, m.ID, true, now)
		q.sent.WithLabelValues("sent").Inc()
		log.InfoContext(ctx, "mail sent")
	case permanent(err) || errors.Is(err, errPermanent) || next.After(m.GiveUp):
		lost = q.Store.FinishMail(record, m.ID, false, now)
		q.sent.WithLabelValues("given_up").Inc()
		log.ErrorContext(ctx, "mail given up", "err", sanitized(err, m.To))
	default:
		lost = q.Store.RetryMail(record, m.ID, m.Attempts, next)
		q.sent.WithLabelValues("retried").Inc()
		log.WarnContext(ctx, "mail not sent yet", "err", sanitized(err, m.To), "next", next)
	}
	if lost != nil {
		log.WarnContext(ctx, "record what became of a mail; it may be tried again too early", "err", lost)
	}
}

// outlive returns a context that ends grace after ctx.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() { stop(); cancel() }
}

// errPermanent marks mails that no retry can send.
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
	oneClick := ""
	if m.Template == domain.MailDigest && d.Digest != nil {
		oneClick = d.Digest.OneClick
	}
	body, err := compose(q.Sender.from, m.To, m.ID, subject, text, html, m.Created, oneClick)
	if err != nil {
		return errors.Join(errPermanent, err)
	}
	return q.Sender.Send(ctx, m.To, body)
}

// backoff returns how long to wait after so many attempts: 30 s, doubling up to two hours, and up
// to a fifth more or less, so that mails are not retried all at once.
func backoff(attempts int) time.Duration {
	d := maxBackoff
	if attempts < 10 {
		d = min(maxBackoff, minBackoff<<max(0, attempts-1))
	}
	return d*4/5 + rand.N(d*2/5)
}

var addresses = regexp.MustCompile(`(?i)https?:\S+`)

// sanitized returns an error's text without secrets, for the log. Mail servers may repeat the
// recipient or a link in their replies.
func sanitized(err error, recipient string) string {
	s := addresses.ReplaceAllString(oneLine(err.Error()), "[link]")
	s = strings.ReplaceAll(s, recipient, "[recipient]")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "..."
	}
	return s
}
