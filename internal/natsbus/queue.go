package natsbus

import (
	"sync"

	"github.com/unhidra/unhidra/internal/bus"
)

// Bounds of what waits to be written to the NATS server. More is dropped: the
// log has it.
const (
	queueLength = 16384
	queueBytes  = 32 << 20
)

// queue is what goes out: news, in order, and which subjects this node follows.
// The latter are never dropped; there are no more of them than subjects.
type queue struct {
	ended chan struct{} // closed when all of it was taken after close

	mu      sync.Mutex
	wake    *sync.Cond
	news    []bus.Message
	bytes   int
	wanted  map[string]int  // how many follow a subject here
	changed map[string]bool // subjects that NATS has not heard about
	closed  bool
}

func (q *queue) init() {
	q.ended = make(chan struct{})
	q.wake = sync.NewCond(&q.mu)
	q.wanted, q.changed = make(map[string]int), make(map[string]bool)
}

// publish reports whether there was room.
func (q *queue) publish(subject string, data []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.news) >= queueLength || q.bytes+len(data) > queueBytes {
		return false
	}
	q.news = append(q.news, bus.Message{Subject: subject, Data: data})
	q.bytes += len(data)
	q.wake.Signal()
	return true
}

func (q *queue) follow(subject string) { q.count(subject, 1) }

func (q *queue) unfollow(subject string) { q.count(subject, -1) }

func (q *queue) count(subject string, by int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	before := q.wanted[subject]
	if q.wanted[subject] = before + by; before+by == 0 {
		delete(q.wanted, subject)
	}
	if before == 0 || before+by == 0 {
		q.changed[subject] = true
		q.wake.Signal()
	}
}

// take waits for something, and returns all of it: which subjects to follow or
// not, and what to publish after that. With more false the queue has ended.
func (q *queue) take() (changes map[string]bool, news []bus.Message, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.changed) == 0 && len(q.news) == 0 && !q.closed {
		q.wake.Wait()
	}
	changes = make(map[string]bool, len(q.changed))
	for subject := range q.changed {
		changes[subject] = q.wanted[subject] > 0
	}
	clear(q.changed)
	news = q.news
	q.news, q.bytes = nil, 0
	return changes, news, !q.closed
}

// close lets nothing in any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake.Signal()
}

// waiting returns how many messages there are.
func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.news)
}
