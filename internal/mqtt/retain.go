package mqtt

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// retainer stores retained messages, many in one transaction. Nodes send their states again and
// again as retained messages: of those of QoS 0 only the last of each interval is stored.
type retainer struct {
	store func(ctx context.Context, ms []domain.RetainedMessage) error
	wake  chan struct{}

	mu      sync.Mutex
	waiting map[string]domain.RetainedMessage // by site and topic
	who     []chan error                      // who waits for the next commit
	storing bool                              // a commit is on its way
}

const (
	retainEvery = 500 * time.Millisecond
	retainLimit = 2000 // messages of one transaction
)

func (r *retainer) init(store func(context.Context, []domain.RetainedMessage) error) {
	r.store, r.wake, r.waiting = store, make(chan struct{}, 1), make(map[string]domain.RetainedMessage)
}

// put stores m, soon or, with wait, before it returns.
func (r *retainer) put(ctx context.Context, m domain.RetainedMessage, wait bool) error {
	r.mu.Lock()
	r.waiting[m.Site+"\x00"+m.Topic] = m
	full := len(r.waiting) >= retainLimit
	r.mu.Unlock()
	if wait || full {
		return r.sync(ctx)
	}
	return nil
}

// sync waits until what was put is committed.
func (r *retainer) sync(ctx context.Context) error {
	r.mu.Lock()
	if len(r.waiting) == 0 && len(r.who) == 0 && !r.storing {
		r.mu.Unlock()
		return nil
	}
	done := make(chan error, 1)
	r.who = append(r.who, done)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run stores what was put until ctx ends, and then the rest.
func (r *retainer) run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-r.wake:
		case <-tick.C:
		}
		if err := r.flush(); err != nil {
			log.WarnContext(ctx, "cannot store retained MQTT messages; will try again", "err", err)
		}
	}
}

// flush stores what waits. What cannot be stored is kept for the next time, unless there is a newer
// one.
func (r *retainer) flush() error {
	r.mu.Lock()
	waiting, who := r.waiting, r.who
	r.waiting, r.who = make(map[string]domain.RetainedMessage), nil
	r.storing = len(waiting) > 0
	r.mu.Unlock()
	var err error
	if len(waiting) > 0 {
		ms := make([]domain.RetainedMessage, 0, len(waiting))
		for _, m := range waiting {
			ms = append(ms, m)
		}
		ctx, cancel := context.WithTimeout(context.Background(), publishTime)
		err = r.store(ctx, ms)
		cancel()
	}
	r.mu.Lock()
	r.storing = false
	if err != nil {
		for key, m := range waiting {
			if _, newer := r.waiting[key]; !newer && len(r.waiting) < retainLimit {
				r.waiting[key] = m
			}
		}
	}
	r.mu.Unlock()
	for _, done := range who {
		done <- err
	}
	return err
}

// forgetLoop keeps the sessions of connected clients, removes the retained messages of devices and controllers that
// are gone for good, and tells subscribers.
func (s *Service) forgetLoop(ctx context.Context) {
	tick := time.NewTicker(renewEach)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.forget:
		case <-tick.C:
		}
		if err := s.renewSessions(ctx); err != nil {
			s.Log.WarnContext(ctx, "cannot look after MQTT sessions", "err", err)
		}
		_ = s.retainer.sync(ctx) // what cannot be stored now is tried again, and reported
		s.mu.Lock()
		ended := s.ended
		s.ended = nil
		s.mu.Unlock()
		gone, err := s.Topics.ForgetTopics(ctx, s.Now())
		if err != nil {
			s.Log.WarnContext(ctx, "cannot forget the topics of devices that are gone", "err", err)
			for device := range ended {
				s.addEnded(device)
			}
			continue
		}
		s.freeTopics(ended)
		for _, r := range gone {
			s.tellGone(ctx, r)
		}
	}
}

// freeTopics has whose the topics of devices are asked for anew.
func (s *Service) freeTopics(of map[string]bool) {
	s.mu.Lock()
	sites := slices.Collect(maps.Values(s.sites))
	s.mu.Unlock()
	for _, t := range sites {
		t.claimsMu.Lock()
		maps.DeleteFunc(t.claims, func(_, holder string) bool { return of[holder] })
		t.claimsMu.Unlock()
	}
}

// tellGone tells subscribers that a retained message is no more.
func (s *Service) tellGone(ctx context.Context, r domain.RetainedMessage) {
	t, err := s.enter(ctx, r.Site)
	if err == nil {
		defer s.leaveSite(t)
		t.forgetClaim(r.Topic)
		t.quotas.forget(r.Topic)
		err = s.deliver(ctx, t, &message{site: r.Site, topic: r.Topic, qos: 1, retain: true, open: true},
			domain.MQTTReceived{})
	}
	if err != nil {
		s.Log.WarnContext(ctx, "cannot tell that a retained message is gone", "err", err)
	}
}

func (t *site) forgetClaim(topic string) {
	t.claimsMu.Lock()
	defer t.claimsMu.Unlock()
	delete(t.claims, topic)
}
