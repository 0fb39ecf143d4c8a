package feed

import "sync"

// A Signal wakes the consumers of a log when something was appended. Its zero value is
// ready for use.
type Signal struct {
	mu sync.Mutex
	ch chan struct{}
}

// Notify wakes whoever waits. It never blocks.
func (b *Signal) Notify() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// Wait returns a channel that is closed by the next Ring.
func (b *Signal) Wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}
