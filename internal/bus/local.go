package bus

import (
	"slices"
	"sync"
	"sync/atomic"
)

// queueBound is how many messages wait for one slow subscriber. A message is
// shared by all its subscribers, so that this bounds pointers, not payloads.
const queueBound = 4096

// Local is a Bus within one process. A subscription has no goroutine of its
// own while nothing waits for it: a server with a hundred thousand rooms has a
// hundred thousand subscriptions.
type Local struct {
	drops atomic.Int64

	mu   sync.RWMutex
	subs map[string][]*subscription // never changed in place
}

// NewLocal returns a bus that reaches everything in this process.
func NewLocal() *Local {
	return &Local{subs: make(map[string][]*subscription)}
}

// Dropped returns how many messages were not delivered because a subscriber
// was too slow.
func (l *Local) Dropped() int64 { return l.drops.Load() }

// Publish implements Bus. It never fails.
func (l *Local) Publish(subject string, data []byte) error {
	l.mu.RLock()
	subs := l.subs[subject]
	l.mu.RUnlock()
	for _, s := range subs {
		if !s.put(Message{Subject: subject, Data: data}) {
			l.drops.Add(1)
		}
	}
	return nil
}

// Subscribe implements Bus. It never fails.
func (l *Local) Subscribe(subject string, fn func(Message)) (func(), error) {
	s := &subscription{fn: fn}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subs[subject] = append(slices.Clip(l.subs[subject]), s)
	return func() { l.unsubscribe(subject, s) }, nil
}

func (l *Local) unsubscribe(subject string, s *subscription) {
	s.close()
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := slices.DeleteFunc(slices.Clone(l.subs[subject]), func(x *subscription) bool { return x == s })
	if len(rest) == 0 {
		delete(l.subs, subject)
		return
	}
	l.subs[subject] = rest
}

// subscription delivers in order, from a goroutine that lives only while
// messages wait.
type subscription struct {
	fn func(Message)

	mu      sync.Mutex
	queue   []Message
	running bool
	closed  bool
}

// put reports whether m was queued, or needs no queueing as nobody listens.
func (s *subscription) put(m Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return true
	}
	if len(s.queue) >= queueBound {
		return false
	}
	s.queue = append(s.queue, m)
	if !s.running {
		s.running = true
		go s.run()
	}
	return true
}

func (s *subscription) run() {
	for {
		batch := s.take()
		if batch == nil {
			return
		}
		for _, m := range batch {
			if s.isClosed() {
				return
			}
			s.fn(m)
		}
	}
}

// take returns all that waits. With nothing there it ends the run, and keeps
// no memory.
func (s *subscription) take() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.queue
	s.queue = nil
	if len(batch) == 0 || s.closed {
		s.running = false
		return nil
	}
	return batch
}

func (s *subscription) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *subscription) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.queue = true, nil
}
