package audit

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
)

// Run commits recorded events until ctx is done. Then it commits those that are left, and signs a
// last checkpoint.
func (s *Service) Run(ctx context.Context) error {
	s.started.Store(true)
	var wg sync.WaitGroup
	inner, cancel := context.WithCancel(ctx)
	wg.Go(func() { s.tick(inner) })
	wg.Go(func() { s.retain(inner) })
	for _, sink := range s.Sinks {
		wg.Go(func() { s.deliver(inner, sink) })
	}
	s.Record(ctx, s.systemEvent(domain.AuditStart, s.Now()))
	left := s.write(ctx)
	cancel()
	wg.Wait()
	s.started.Store(false)
	last, done := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer done()
	for _, e := range s.rates.summaries(s.Now(), 0) {
		s.enqueue(e)
	}
	s.enqueue(s.systemEvent(domain.AuditStop, s.Now()))
	err := s.flush(last, left)
	if err == nil {
		err = s.Checkpoint(last)
	}
	for _, sink := range s.Sinks {
		wg.Go(func() { s.finish(last, sink) })
	}
	wg.Wait()
	if err != nil {
		s.Log.ErrorContext(ctx, "the end of the audit log could not be kept", "err", err, "waiting", s.waiting.Load())
	}
	return ctx.Err()
}

func (s *Service) enqueue(e domain.AuditEvent) {
	s.waiting.Add(1)
	select {
	case s.queue <- entry{event: &e}:
	default:
		s.waiting.Add(-1)
		s.drop(1)
	}
}

// write is the only writer of this process. It commits events in their order, in batches of all
// that wait. When ctx ends, it returns the events that are not committed.
func (s *Service) write(ctx context.Context) (left []entry) {
	for {
		select {
		case e := <-s.queue:
			if left := s.commit(ctx, s.batch(e)); left != nil {
				return left
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// batch returns first and the events that wait behind it, up to batchLength.
func (s *Service) batch(first entry) []entry {
	batch := append(make([]entry, 0, 16), first)
	for len(batch) < batchLength {
		select {
		case e := <-s.queue:
			batch = append(batch, e)
			continue
		default:
		}
		break
	}
	return batch
}

// flush commits left and the events in the queue. Events that it cannot commit are written to the
// ordinary log instead.
func (s *Service) flush(ctx context.Context, left []entry) error {
	for {
		if left != nil {
			if left = s.commit(ctx, left); left != nil {
				s.logLost(left)
				return ctx.Err()
			}
		}
		select {
		case e := <-s.queue:
			left = s.batch(e)
		default:
			return nil
		}
	}
}

// commit retries until the batch is durable. RecordSync gets the first error, and its entry is
// removed from the batch, because the caller then does not do what it would record. If ctx ends
// first, commit returns what is not durable.
func (s *Service) commit(ctx context.Context, batch []entry) (left []entry) {
	gap := s.takeDropped()
	wait := minBackoff
	for {
		live := claimAll(batch)
		s.waiting.Add(int64(len(live) - len(batch)))
		if batch = live; len(batch) == 0 && gap == 0 {
			return nil
		}
		// A commit that has begun completes even when the server stops.
		err := s.append(context.WithoutCancel(ctx), s.events(batch, gap))
		left := notifyWaiters(batch, err)
		s.waiting.Add(int64(len(left) - len(batch)))
		if batch = left; len(batch) == 0 && (err == nil || gap == 0) {
			return nil
		}
		s.metrics.failures.Inc()
		s.commitFailed.Notify()
		s.failing.CompareAndSwap(0, s.Now().UnixMilli())
		s.Log.ErrorContext(ctx, "the audit log cannot be written; trying again",
			"err", err, "waiting", s.waiting.Load())
		if !pause(ctx, wait) {
			s.mu.Lock()
			s.dropped += gap // reported by a later commit
			s.mu.Unlock()
			return batch
		}
		wait = min(2*wait, maxBackoff)
	}
}

// logLost counts a batch as lost, and writes it to the ordinary log.
func (s *Service) logLost(batch []entry) {
	s.drop(int64(len(batch)))
	for _, e := range batch {
		obs.Whole(s.Log).Error("lost to the audit log", "type", e.event.Type, "id", e.event.ID,
			"outcome", outcome(*e.event), "actor", e.event.Actor.ID)
	}
}

// events returns the events of a batch, and one that reports a gap if events were lost before.
func (s *Service) events(batch []entry, gap int64) []domain.AuditEvent {
	events := make([]domain.AuditEvent, 0, len(batch)+1)
	for _, e := range batch {
		events = append(events, *e.event)
	}
	if gap > 0 {
		e := s.systemEvent(domain.AuditGap, s.Now())
		e.Reason = "queue_full"
		e.Details = map[string]string{"lost": strconv.FormatInt(gap, 10)}
		events = append(events, e)
	}
	return events
}

// claimAll returns batch without the entries that nobody waits for any more.
func claimAll(batch []entry) (live []entry) {
	for _, e := range batch {
		if e.wait == nil || e.claim() {
			live = append(live, e)
		}
	}
	return live
}

// notifyWaiters sends err to those who wait, and returns the entries to retry.
func notifyWaiters(batch []entry, err error) (left []entry) {
	for _, e := range batch {
		if e.wait != nil {
			e.done <- err
		} else if err != nil {
			left = append(left, e)
		}
	}
	return left
}

func (s *Service) takeDropped() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.dropped
	s.dropped = 0
	return n
}

// tick signs checkpoints and records summaries of exceeded limits.
func (s *Service) tick(ctx context.Context) {
	t := time.NewTicker(checkpointEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		for _, e := range s.rates.summaries(s.Now(), coalesceFor) {
			s.enqueue(e)
		}
		if err := s.Checkpoint(ctx); err != nil && !errors.Is(err, context.Canceled) {
			s.Log.WarnContext(ctx, "sign a checkpoint of the audit log", "err", err)
		}
	}
}

// pause waits for d. It returns false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
