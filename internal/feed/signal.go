package feed

import "sync"

// A Signal wakes goroutines that wait, for example for entries of a log. Its zero value is ready
// for use.
type Signal struct {
	mu sync.Mutex
	ch chan struct{}
}

// Notify wakes all that wait. It never blocks.
func (b *Signal) Notify() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// Wait returns a channel that the next Notify closes.
func (b *Signal) Wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}
