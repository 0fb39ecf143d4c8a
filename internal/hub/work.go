package hub

import (
	"sync"
	"sync/atomic"
)

// workQueue does something for each of what is added, in the order in which it
// came, for a few at a time. It has goroutines only while something waits.
type workQueue[T any] struct {
	workers int // how many at a time
	limit   int // how many may wait; 0: any number
	do      func(T)

	mu      sync.Mutex
	waiting []T
	running int
	full    atomic.Int64 // how often one was refused
}

// add reports false, and does nothing, if too many wait.
func (q *workQueue[T]) add(x T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.limit > 0 && len(q.waiting) >= q.limit {
		q.full.Add(1)
		return false
	}
	q.waiting = append(q.waiting, x)
	if q.running < q.workers {
		q.running++
		go q.run()
	}
	return true
}

func (q *workQueue[T]) run() {
	for {
		x, ok := q.next()
		if !ok {
			return
		}
		q.do(x)
	}
}

func (q *workQueue[T]) next() (x T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.running--
		q.waiting = nil
		return x, false
	}
	x = q.waiting[0]
	var none T
	q.waiting[0] = none
	q.waiting = q.waiting[1:]
	return x, true
}

func (q *workQueue[T]) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}
