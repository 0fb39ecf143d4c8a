package natsbus

import (
	"sync"

	"github.com/unhidra/unhidra/internal/bus"
)

// Limits of the messages that wait to be written to the NATS server. Further ones are dropped:
// nodes read the events from the log.
const (
	queueLength = 16384
	queueBytes  = 32 << 20
)

// queue has the messages to publish, in order, and the changes of this node's subscriptions. Those
// are never dropped, because there is at most one per subject.
type queue struct {
	ended chan struct{} // closed when everything was taken after close

	mu      sync.Mutex
	wake    *sync.Cond
	news    []bus.Message
	bytes   int
	wanted  map[string]int  // local subscribers by subject
	changed map[string]bool // subjects whose subscription NATS does not know yet
	closed  bool
}

func (q *queue) init() {
	q.ended = make(chan struct{})
	q.wake = sync.NewCond(&q.mu)
	q.wanted, q.changed = make(map[string]int), make(map[string]bool)
}

// publish adds a message. It returns false if the queue is full.
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

// take waits until there is something, and returns all of it: changed subscriptions, and the
// messages to publish after them. more is false when the queue is closed and empty.
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

// close refuses further messages.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake.Signal()
}

// waiting returns the number of queued messages.
func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.news)
}
