package outgoing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	// Timeout is how long a receiver may take for one delivery.
	Timeout = 15 * time.Second

	sendersTotal  = 64               // webhooks for which this node sends at a time
	sendersMaker  = 8                // of them made by one person
	lease         = time.Minute      // of a claimed webhook; longer than turn and an attempt
	turn          = 20 * time.Second // for which a webhook may go on before others get a chance
	pollEvery     = time.Second      // for retries, and what other nodes have enqueued
	pruneEvery    = time.Minute
	offAfter      = 3 * 24 * time.Hour // of failures
	maxRetryAfter = 24 * time.Hour
	refusedTries  = 5 // of a delivery that the receiver refuses for what it is, before the next one is tried
	cleanup       = 5 * time.Second
)

// backoffs are the longest waits after so many failed attempts.
var backoffs = []time.Duration{5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	6 * time.Hour}

// backoff returns how long to wait after a number of failed attempts: any time up to the longest, so that webhooks
// that failed together do not come back together.
func backoff(tries int) time.Duration {
	return rand.N(backoffs[min(max(tries, 1), len(backoffs))-1]) + time.Millisecond
}

// ConsumerName is that of the consumer's cursor.
const ConsumerName = "webhooks"

// Consumer returns the consumer of the feed that stores which webhooks are to send what.
func (s *Service) Consumer() feed.Consumer[domain.Event] {
	return feed.Consumer[domain.Event]{Name: ConsumerName, Handle: s.handle}
}

// Wanted returns when there is a webhook, or when ctx is done. Before, nobody need read the feed.
func (s *Service) Wanted(ctx context.Context) error {
	return feed.Await(ctx, s.wanted, func(ctx context.Context) bool {
		yes, err := s.Store.Any(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look for outgoing webhooks; will try again", "err", err)
		}
		return yes
	})
}

// handle enqueues the events of a page of the feed. It may get them again: each is stored once.
func (s *Service) handle(ctx context.Context, entries []feed.Entry[domain.Event]) error {
	events := make([]domain.Event, len(entries))
	for i, e := range entries {
		events[i] = e.Value
	}
	added, err := s.Queue.Enqueue(ctx, events, s.Now())
	if added > 0 {
		notify(s.wake)
	}
	return err
}

// Run sends until ctx is done. Several nodes may: each webhook is leased by one. If a node dies, another one goes on
// with what it had not recorded as sent.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, sendersTotal)
	look, prune := time.NewTicker(pollEvery), time.NewTicker(pruneEvery)
	defer look.Stop()
	defer prune.Stop()
	for {
		more := s.start(ctx, slots, &wg)
		if more {
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

// start begins to send for the webhooks that are due, as many as may be at a time. It reports whether more may be due.
func (s *Service) start(ctx context.Context, slots chan struct{}, wg *sync.WaitGroup) bool {
	free := sendersTotal - len(slots)
	if free == 0 {
		return false
	}
	claimed, err := s.Queue.ClaimHooks(ctx, min(free, sendersMaker), s.full(), lease, s.Now())
	if err != nil {
		if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look for webhooks to send; will try again", "err", err)
		}
		return false
	}
	for _, h := range claimed {
		slots <- struct{}{}
		s.count(h.CreatedBy.ID, 1)
		wg.Go(func() {
			defer func() {
				<-slots
				s.count(h.CreatedBy.ID, -1)
				notify(s.wake)
			}()
			s.serve(ctx, h)
		})
	}
	return len(claimed) > 0
}

// full returns the makers of webhooks for whom this node sends as much as it may at a time.
func (s *Service) full() (makers []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for maker, n := range s.busy {
		if n >= sendersMaker {
			makers = append(makers, maker)
		}
	}
	return makers
}

func (s *Service) count(maker string, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[maker] += by; s.busy[maker] == 0 {
		delete(s.busy, maker)
	}
}

func (s *Service) prune(ctx context.Context) {
	n, err := s.Queue.PruneDeliveries(ctx, s.Now())
	s.metrics.sent.WithLabelValues(resultDropped).Add(float64(n))
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "forget old deliveries of webhooks; will try again", "err", err)
	}
}

// serve sends for a webhook that is leased, and ends the lease. What it cannot record is sent again.
func (s *Service) serve(ctx context.Context, h domain.OutHook) {
	again, err := s.sendAll(ctx, h)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	if err = errors.Join(err, s.Queue.Release(ctx, h, again, s.Now())); err != nil {
		s.Log.WarnContext(ctx, "a webhook goes on later", "hook", h.ID, "err", err)
	}
}

// sendAll sends what waits, in its order, until nothing does, something fails or its turn is over. It returns when the
// webhook is to go on; zero: at once.
func (s *Service) sendAll(ctx context.Context, h domain.OutHook) (again time.Time, err error) {
	for began := s.Now(); s.Now().Sub(began) < turn && ctx.Err() == nil; {
		d, ok, err := s.Queue.NextDelivery(ctx, h.ID)
		if err != nil || !ok {
			return again, err
		}
		// As it is now: its address or secret may have changed since the last one.
		if h, err = s.Store.OutHook(ctx, h.Room, h.ID); domain.KindOf(err) == domain.NotFound {
			return again, nil
		} else if err != nil {
			return again, err
		}
		o := s.attempt(ctx, h, d)
		if ctx.Err() != nil {
			return again, nil // the server stops: this says nothing of the receiver
		}
		if o.Off != "" && h.Off == "" {
			s.tellAdmins(ctx, h, d, o.Off)
		}
		if err := s.Queue.Settle(ctx, d, o, s.Now()); err != nil {
			return again, err
		}
		if o.State == domain.DeliveryWaiting {
			return o.Again, nil
		}
	}
	return again, nil
}

// attempt sends d once.
func (s *Service) attempt(ctx context.Context, h domain.OutHook, d domain.Delivery) domain.Outcome {
	body, ok, err := s.payload(ctx, h, d)
	if err != nil {
		return s.retry(h, d, domain.Outcome{Failure: "the server could not read what to send; it will try again"}, 0)
	}
	if !ok {
		s.metrics.sent.WithLabelValues(resultDropped).Inc()
		return domain.Outcome{State: domain.DeliveryDropped, Failure: "its event was deleted"}
	}
	began := s.Now()
	o, retryAfter, err := s.post(ctx, h, d, body, began)
	o.Duration = s.Now().Sub(began)
	if ctx.Err() != nil {
		return o
	}
	s.metrics.took.Observe(o.Duration.Seconds())
	switch {
	case err != nil:
		o.Failure = reasonOf(err)
	case o.Status < 300:
		o.State = domain.DeliveryDone
		s.metrics.sent.WithLabelValues(resultDelivered).Inc()
		s.metrics.delay.Observe(max(0, s.Now().Sub(d.At).Seconds()))
		return o
	case o.Status < 400:
		o.Failure = fmt.Sprintf("the receiver sends elsewhere (%d), which is not followed", o.Status)
	default:
		o.Failure = fmt.Sprintf("the receiver answers %d", o.Status)
	}
	return s.retry(h, d, o, retryAfter)
}

// refused reports whether a receiver refuses a delivery for what it is, so that trying again may be of no use.
func refused(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooEarly &&
		status != http.StatusTooManyRequests
}

// retry decides what follows on a failed attempt.
func (s *Service) retry(h domain.OutHook, d domain.Delivery, o domain.Outcome, after time.Duration) domain.Outcome {
	now := s.Now()
	result := resultFailed
	o.State = domain.DeliveryWaiting
	switch {
	case o.Status == http.StatusGone:
		result, o.Off = resultGone, domain.HookOffGone
		if d.Manual {
			o.State = domain.DeliveryFailed
		}
	case d.Manual:
		o.State = domain.DeliveryFailed
	case !h.FailedAt.IsZero() && now.Sub(h.FailedAt) > offAfter:
		o.Off = domain.HookOffFailing
	case refused(o.Status) && d.Tries+1 >= refusedTries:
		o.State = domain.DeliveryFailed
	}
	if refused(o.Status) && result == resultFailed {
		result = resultRefused
	}
	s.metrics.sent.WithLabelValues(result).Inc()
	o.Again = now.Add(max(backoff(d.Tries+1), min(after, maxRetryAfter)))
	return o
}

// post sends body, and returns the answer, and how long the receiver wants to be left alone.
func (s *Service) post(
	ctx context.Context, h domain.OutHook, d domain.Delivery, body []byte, now time.Time,
) (o domain.Outcome, retryAfter time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	// An answer that breaks off has said by its status what became of the delivery.
	res, err := s.call(ctx, call{url: h.URL, id: d.ID, contentType: "application/json", body: body, at: now,
		secrets: s.secretsOf(h.ID, h.Generation, h.RotatedAt, now), most: domain.MaxHookAnswer})
	if err != nil && res.status == 0 {
		return o, 0, err
	}
	o.Status, o.Answer = res.status, plain(res.body)
	return o, retryAfterOf(res.header.Get("Retry-After"), now), nil
}

// A call is what is sent to a receiver.
type call struct {
	url, id, contentType string
	body                 []byte
	at                   time.Time
	secrets              [][]byte // by which it is signed
	most                 int64    // bytes that are read of the answer
}

// answered is what a receiver answers.
type answered struct {
	status int
	header http.Header
	body   []byte
}

// call sends c, signed, and returns the answer. If that breaks off, there is an error beside its beginning.
func (s *Service) call(ctx context.Context, c call) (a answered, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(c.body))
	if err != nil {
		return a, err
	}
	r.Header.Set("Content-Type", c.contentType)
	r.Header.Set("User-Agent", "Unhidra")
	r.Header.Set(headerID, c.id)
	r.Header.Set(headerTime, strconv.FormatInt(c.at.Unix(), 10))
	r.Header.Set(headerSignature, sign(c.secrets, c.id, c.at, c.body))
	res, err := s.Client.Do(r)
	if err != nil {
		return a, err
	}
	defer func() { _ = res.Body.Close() }()
	a.status, a.header = res.StatusCode, res.Header
	a.body, err = io.ReadAll(io.LimitReader(res.Body, c.most))
	return a, err
}

// plain returns the first bytes of an answer as text of one line.
func plain(data []byte) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(data), "\uFFFD"))
	for len(text) > domain.MaxHookAnswer {
		text = strings.ToValidUTF8(text[:domain.MaxHookAnswer], "")
	}
	return strings.TrimSpace(text)
}

// retryAfterOf reads Retry-After, of seconds or of a time (RFC 9110, section 10.2.3).
func retryAfterOf(value string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// A payload is a body as Standard Webhooks recommends it.
type payload struct {
	Type      domain.EventType `json:"type"`
	Timestamp time.Time        `json:"timestamp"`
	Data      any              `json:"data"`
}

// payload returns the body of d, and false if its event was purged.
func (s *Service) payload(ctx context.Context, h domain.OutHook, d domain.Delivery) ([]byte, bool, error) {
	p := payload{Type: d.Type, Timestamp: d.At, Data: struct {
		Room string `json:"room"`
		Hook string `json:"hook"`
	}{h.Room, h.ID}}
	if d.Seq > 0 {
		e, ok, err := s.Store.Event(ctx, h.Room, d.Seq)
		if err != nil || !ok {
			return nil, false, err
		}
		p.Data = wire.FromEvent(e)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return nil, false, err
	}
	return bytes.TrimSpace(b.Bytes()), true, nil
}

// tellAdmins says in the room that a webhook is switched off, and names its admins, so that they are told.
func (s *Service) tellAdmins(ctx context.Context, h domain.OutHook, d domain.Delivery, why domain.HookOff) {
	admins, err := s.Store.Admins(ctx, h.Room)
	text := "This webhook was switched off: its receiver has taken nothing for three days."
	if why == domain.HookOffGone {
		text = "This webhook was switched off: its receiver says that it has ended (410)."
	}
	text += " The room’s details say more, and switch it on again."
	for _, name := range admins {
		text += " @" + name
	}
	if err == nil {
		_, err = s.Chat.Send(ctx,
			domain.Principal{ID: h.ID, Kind: domain.KindBot, Role: domain.SystemUser, Owner: h.CreatedBy.ID},
			domain.Draft{Room: h.Room, Key: "off:" + d.ID, Text: text})
	}
	if err != nil {
		s.Log.WarnContext(ctx, "say in a room that its webhook was switched off", "hook", h.ID, "err", err)
	}
	s.record(ctx, domain.Principal{ID: h.ID, Kind: domain.KindBot}, h, "off_outgoing")
}
