package notify

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/webpush"
)

const (
	sendersTotal = 32               // pushes that this node sends at a time
	sendersHost  = 8                // of them to one push service
	lease        = time.Minute      // of a claimed push; longer than an attempt
	pollEvery    = time.Second      // for retries, and pushes of other nodes
	pushLife     = 24 * time.Hour   // a push service keeps it for a receiver that is away
	giveUpAfter  = 24 * time.Hour   // of failures of a subscription
	holdActive   = 20 * time.Second // while the user is at another device, at first
	mostActive   = 2 * time.Minute  // and in the end
	holdBusy     = time.Second      // while as much as may be is sent to a push service
	holdApart    = 25 * time.Millisecond
	holdMode     = time.Minute     // while the user wants to be left alone
	slowAnswer   = 3 * time.Second // and longer: a push service that is tried like one that fails
	minBackoff   = 5 * time.Second
	maxBackoff   = time.Hour
	pruneEvery   = 10 * time.Minute
	reportsWait  = time.Minute // reports that come within it are one push
)

// Run sends pushes until ctx is done. Several nodes may: each push is leased by one. If a node dies, another one sends
// what it had leased, perhaps for the second time; receivers then show it once.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, sendersTotal)
	look, prune := time.NewTicker(pollEvery), time.NewTicker(pruneEvery)
	defer look.Stop()
	defer prune.Stop()
	for {
		s.tellReports(ctx)
		n := sendersTotal - len(slots)
		all := s.claim(ctx, n)
		for _, p := range all {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				s.deliver(ctx, p)
			})
		}
		if len(all) > 0 && len(all) == n {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case <-look.C:
		case <-prune.C:
			s.prune(ctx)
		}
	}
}

// claim returns at most n pushes that are due and leased. If they may not be leased, there are none: another node could
// send them, too.
func (s *Service) claim(ctx context.Context, n int) []domain.Push {
	if n == 0 {
		return nil
	}
	all, err := s.Store.Claim(ctx, n, lease, s.Now())
	if err == nil {
		return all
	}
	if ctx.Err() == nil {
		s.Log.WarnContext(ctx, "look for pushes to send; will try again", "err", err)
	}
	return nil
}

// tellReports queues pushes about new reports.
func (s *Service) tellReports(ctx context.Context) {
	n, err := s.Store.TellReports(ctx, reportsWait, s.Now())
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "look for reports to tell of; will try again", "err", err)
	}
	s.metrics.decided.WithLabelValues(string(domain.NotifiedReport)).Add(float64(n))
}

func (s *Service) prune(ctx context.Context) {
	now := s.Now()
	s.forget(now.Add(-hostKept))
	if err := s.Store.Prune(ctx, now.Add(-domain.NotificationsKept), now); err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "forget old notifications; will try again", "err", err)
	}
}

// deliver sends one push, or puts it off. What it cannot record is tried again after the lease.
func (s *Service) deliver(ctx context.Context, p domain.Push) {
	if err := s.attempt(ctx, p); err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "a push is tried again later", "subscription", p.Subscription.ID, "err", err)
	}
}

func (s *Service) attempt(ctx context.Context, p domain.Push) error {
	now := s.Now()
	st, err := s.Store.State(ctx, p, now)
	if err != nil {
		return err
	}
	if st.Count == 0 {
		return s.Store.Finish(ctx, p, false, now)
	}
	if until, silent := st.Settings.Silent(now); silent {
		return s.Store.Postpone(ctx, p, st.Version, until)
	}
	if st.Mode == domain.DoNotDisturb {
		return s.Store.Postpone(ctx, p, st.Version, now.Add(holdMode))
	}
	if s.Presence.Active(p.Subscription.User) {
		return s.Store.Postpone(ctx, p, st.Version, now.Add(activeHold(now.Sub(p.Since))))
	}
	at, err := url.Parse(p.Subscription.Endpoint)
	if err != nil {
		return s.Store.Gone(ctx, p.Subscription.ID)
	}
	until, free := s.enter(at.Host, now)
	if !free {
		return s.Store.Postpone(ctx, p, st.Version, until)
	}
	p.Seq = max(p.Seq, st.Last.Seq)
	began := s.Now()
	answer, err := s.send(ctx, p, st, began)
	ended := s.Now()
	trouble := err != nil || tryLater(answer.Status) || ended.Sub(began) > slowAnswer
	wait := s.leave(at.Host, trouble, answer.RetryAfter, ended)
	if ctx.Err() != nil {
		return nil
	}
	return s.record(ctx, p, answer, err, wait)
}

func (s *Service) send(
	ctx context.Context, p domain.Push, st domain.PushState, now time.Time,
) (webpush.Answer, error) {
	text, err := s.payload(p, st)
	if err != nil {
		return webpush.Answer{}, err
	}
	sub := p.Subscription
	return s.Sender.Send(ctx, webpush.Subscription{Endpoint: sub.Endpoint, Key: sub.Key, Auth: sub.Auth}, text,
		webpush.Options{TTL: pushLife, Urgent: st.Reason != domain.NotifiedAll, Topic: topic(p)}, now)
}

// topic is the same for all pushes about a room, thread, reminder or the reports of a room to a subscription, and tells
// nobody which one that is.
func topic(p domain.Push) string {
	about := fmt.Sprintf("%s %d", p.Room, p.Thread)
	if p.Reminder != "" {
		about = p.Reminder
	}
	if p.Reports {
		about = "reports " + p.Room
	}
	sum := sha256.Sum256([]byte(p.Subscription.ID + " " + about))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:32]
}

// tryLater reports whether an answer says that the push service has trouble or too much to do.
func tryLater(status int) bool { return status == 429 || status >= 500 }

// record stores what became of a push. failed is why there was no answer.
func (s *Service) record(ctx context.Context, p domain.Push, a webpush.Answer, failed error, wait time.Duration) error {
	now, sub := s.Now(), p.Subscription
	count := func(result string) { s.metrics.sent.WithLabelValues(result).Inc() }
	if failed == nil && a.Taken() {
		count(resultSent)
		s.metrics.delay.Observe(now.Sub(p.Since).Seconds())
		return s.Store.Finish(ctx, p, true, now)
	}
	if failed == nil && a.Gone() {
		count(resultGone)
		return s.Store.Gone(ctx, sub.ID)
	}
	why, result := "", resultFailed
	switch {
	case failed != nil:
		why = reasonOf(failed)
	case tryLater(a.Status):
		why = fmt.Sprintf("the push service has too much to do, or is out of order (%d)", a.Status)
	case a.Status >= 300 && a.Status < 400:
		why, result = fmt.Sprintf("the push service sends elsewhere (%d), which is not followed", a.Status), resultRefused
	default:
		why, result = fmt.Sprintf("the push service refuses (%d)", a.Status), resultRefused
	}
	count(result)
	s.Log.WarnContext(ctx, "a push service did not take a push", "subscription", sub.ID, "status", a.Status, "said", a.Text,
		"err", failed)
	if err := s.Store.Failed(ctx, sub.ID, why, now); err != nil {
		return err
	}
	if a.Status == 413 || isOver(p, now) {
		count(resultDropped)
		return s.Store.Finish(ctx, p, false, now)
	}
	return s.Store.Retry(ctx, p, now.Add(max(wait, backoff(p.Tries))))
}

// isOver reports whether a push is given up: it is old, and its subscription has failed for as long. Its age alone does
// not decide: during quiet hours and pauses it was not tried.
func isOver(p domain.Push, now time.Time) bool {
	failing := p.Subscription.FailedAt
	return !failing.IsZero() && now.Sub(failing) > giveUpAfter && now.Sub(p.Since) > giveUpAfter
}

// activeHold returns how long a push of an age waits while its user is at another device: for a quarter of its age.
func activeHold(age time.Duration) time.Duration { return min(max(age/4, holdActive), mostActive) }

// backoff returns how long to wait after so many attempts: 5 s, doubling up to an hour, and up to a fifth more.
func backoff(tries int) time.Duration {
	d := maxBackoff
	if tries < 10 {
		d = min(maxBackoff, minBackoff<<max(0, tries-1))
	}
	return d + rand.N(d/5)
}
