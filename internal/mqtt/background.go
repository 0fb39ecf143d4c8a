package mqtt

import (
	"sync"
	"time"
)

// background is the work beside the readers of connections: goroutines, and functions that wait
// for their time. Nothing of it goes on after end.
type background struct {
	running sync.WaitGroup

	mu      sync.Mutex
	ended   bool
	delayed map[string]*delayed // by what they are
}

// delayed is a function that waits for its time.
type delayed struct {
	timer *time.Timer
	run   func()
}

// start runs fn in a goroutine of its own. It reports false after end.
func (b *background) start(fn func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.running.Go(fn)
	}
	return !b.ended
}

// after runs fn after some time, in the place of what is delayed under the same name.
func (b *background) after(wait time.Duration, name string, fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.drop(name)
	if b.delayed == nil {
		b.delayed = make(map[string]*delayed)
	}
	d := &delayed{run: fn}
	b.delayed[name] = d
	d.timer = time.AfterFunc(wait, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.delayed[name] == d {
			delete(b.delayed, name)
			b.running.Go(fn)
		}
	})
}

// cancel forgets what is delayed under a name.
func (b *background) cancel(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(name)
}

// drop is cancel, called with the lock.
func (b *background) drop(name string) {
	if d := b.delayed[name]; d != nil {
		d.timer.Stop()
		delete(b.delayed, name)
	}
}

// end runs at once what is delayed, and returns when nothing runs any more. What is to be started
// or delayed from now on is not.
func (b *background) end() {
	b.mu.Lock()
	b.ended = true
	for name, d := range b.delayed {
		b.drop(name)
		b.running.Go(d.run)
	}
	b.mu.Unlock()
	b.running.Wait()
}
