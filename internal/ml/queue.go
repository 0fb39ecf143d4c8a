package ml

import (
	"context"
	"sync"
	"time"
)

// Priority says what waits behind what.
type Priority int

// Somebody waits for Interactive; Normal is the default; Background may wait, and is dropped first.
const (
	Background Priority = iota - 1
	Normal
	Interactive
)

// A call is one request to a model.
type call struct {
	ctx      context.Context // of whoever asks, for its trace
	inputs   []Tensor
	size     int // of inputs, packed
	priority Priority
	deadline time.Time
	tries    int     // workers that ended while they had it
	stream   *stream // not nil: it is answered in chunks, and done says how that ended
	done     chan outcome
}

// An outcome is what became of a call.
type outcome struct {
	outputs []Tensor
	err     error
}

// finish answers c. Only the first answer counts.
func (c *call) finish(o outcome) {
	select {
	case c.done <- o:
	default:
	}
}

// A waiting holds the calls that no worker has yet, in order of priority.
type waiting struct {
	mu    sync.Mutex
	calls []*call
	alone []*call // those that were with a worker that ended: each goes by itself
	most  int
	wake  chan struct{} // has an element while there may be calls
	why   error         // not nil: nothing is accepted
	moved bool          // nothing new is accepted, and what waits is still answered
}

func newWaiting(most int) *waiting { return &waiting{most: most, wake: make(chan struct{}, 1)} }

// push adds c. A full queue drops the newest call of the least priority, if that is less than c's.
func (w *waiting) push(c *call) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.moved {
		return errMoved
	}
	if w.why != nil {
		return w.why
	}
	if len(w.calls) >= w.most {
		last := w.calls[len(w.calls)-1]
		if last.priority >= c.priority {
			return errFull(w.most)
		}
		w.calls = w.calls[:len(w.calls)-1]
		last.finish(outcome{err: errFull(w.most)})
	}
	at := len(w.calls)
	for at > 0 && w.calls[at-1].priority < c.priority {
		at--
	}
	w.calls = append(w.calls, nil)
	copy(w.calls[at+1:], w.calls[at:])
	w.calls[at] = c
	w.signal()
	return nil
}

// close has new calls refused with errMoved. Those that wait are still answered.
func (w *waiting) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved = true
}

// again gives c back, to be tried by itself.
func (w *waiting) again(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.why != nil {
		c.finish(outcome{err: w.why})
		return
	}
	w.alone = append(w.alone, c)
	w.signal()
}

func (w *waiting) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take returns up to most calls that are still waited for, and that fit into one message. A stream comes by itself.
func (w *waiting) take(most int, now time.Time) []*call {
	w.mu.Lock()
	defer w.mu.Unlock()
	var batch []*call
	for len(w.alone) > 0 && len(batch) == 0 {
		if c := w.alone[0]; now.Before(c.deadline) {
			batch = append(batch, c)
		}
		w.alone = w.alone[1:]
	}
	size := 0
	for alone := len(batch) > 0; !alone && len(w.calls) > 0 && len(batch) < most; {
		c := w.calls[0]
		if now.Before(c.deadline) {
			size += c.size
			if len(batch) > 0 && (size > maxBatch || c.stream != nil) {
				break
			}
			batch = append(batch, c)
		}
		w.calls = w.calls[1:]
		alone = len(batch) > 0 && c.stream != nil
	}
	if len(w.calls)+len(w.alone) > 0 {
		w.signal()
	}
	return batch
}

// refuse answers all that wait with err, and what comes from now on; nil: it accepts again.
func (w *waiting) refuse(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.why = err
	if err == nil {
		return
	}
	for _, c := range append(w.calls, w.alone...) {
		c.finish(outcome{err: err})
	}
	w.calls, w.alone = nil, nil
}

func (w *waiting) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls) + len(w.alone)
}

// wait returns what became of c, at the latest when ctx ends.
func (c *call) wait(ctx context.Context, why func() string) outcome {
	select {
	case o := <-c.done:
		return o
	case <-ctx.Done():
		select {
		case o := <-c.done:
			return o
		default:
			return outcome{err: errLate(why())}
		}
	}
}
