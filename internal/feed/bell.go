package feed

import "sync"

// A Bell wakes the consumers of a log when something was appended. Its zero value is
// ready for use.
type Bell struct {
	mu sync.Mutex
	ch chan struct{}
}

// Ring wakes whoever waits. It never blocks.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// Next returns a channel that is closed by the next Ring.
func (b *Bell) Next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}
