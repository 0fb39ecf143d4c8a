// Package bustest holds what every bus.Bus must do, as tests that run on each
// implementation.
package bustest

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

const timeout = 30 * time.Second

// Run tests a bus as two nodes see it. Open returns both ends: the same one
// twice, if there is but one process.
func Run(t *testing.T, open func(t *testing.T) (here, there bus.Bus)) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, here, there bus.Bus){
		"order": order, "subjects": subjects, "unsubscribe": unsubscribe, "one subscription of many": oneOfMany,
		"many at once": manyAtOnce, "nobody listens": nobody,
	} {
		t.Run(name, func(t *testing.T) {
			here, there := open(t)
			t.Run("one node", func(t *testing.T) { test(t, here, here) })
			t.Run("two nodes", func(t *testing.T) { test(t, here, there) })
		})
	}
}

// Settle returns when what from published reaches to: subscriptions take a moment
// to be known on another node.
func Settle(t *testing.T, from, to bus.Bus, subject string) {
	t.Helper()
	token := []byte(domain.NewID("settle"))
	var seen atomic.Bool
	stop := subscribe(t, to, subject, func(m bus.Message) {
		if string(m.Data) == string(token) {
			seen.Store(true)
		}
	})
	defer stop()
	await(t, "the nodes to hear each other", func() bool {
		publish(t, from, subject, token)
		return seen.Load()
	})
}

func subscribe(t *testing.T, b bus.Bus, subject string, fn func(bus.Message)) func() {
	t.Helper()
	stop, err := b.Subscribe(subject, fn)
	if err != nil {
		t.Fatal(err)
	}
	return stop
}

func publish(t *testing.T, b bus.Bus, subject string, data []byte) {
	t.Helper()
	if err := b.Publish(subject, data); err != nil {
		t.Error(err)
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", timeout, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// order: each subscriber gets what one publisher sent, in order.
func order(t *testing.T, here, there bus.Bus) {
	const n = 2000
	var mu sync.Mutex
	var got [3][]uint32
	Settle(t, here, there, "order")
	for i := range got {
		stop := subscribe(t, there, "order", func(m bus.Message) {
			if len(m.Data) != 4 {
				return // of Settle
			}
			mu.Lock()
			defer mu.Unlock()
			got[i] = append(got[i], binary.BigEndian.Uint32(m.Data))
		})
		defer stop()
	}
	Settle(t, here, there, "order")
	for i := range uint32(n) {
		publish(t, here, "order", binary.BigEndian.AppendUint32(nil, i))
	}
	await(t, "all messages", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got[0]) >= n && len(got[1]) >= n && len(got[2]) >= n
	})
	mu.Lock()
	defer mu.Unlock()
	for i := range got {
		for j, v := range got[i] {
			if v != uint32(j) {
				t.Fatalf("subscriber %d got message %d at place %d", i, v, j)
			}
		}
	}
}

func subjects(t *testing.T, here, there bus.Bus) {
	var mu sync.Mutex
	var got []string
	stop := subscribe(t, there, "room.a", func(m bus.Message) {
		mu.Lock()
		defer mu.Unlock()
		if len(m.Data) == 1 {
			got = append(got, m.Subject+":"+string(m.Data))
		}
	})
	defer stop()
	Settle(t, here, there, "room.a")
	publish(t, here, "room.b", []byte("1"))
	publish(t, here, "room", []byte("2"))
	publish(t, here, "room.a", []byte("3"))
	await(t, "the message", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) > 0 })
	if fmt.Sprint(got) != "[room.a:3]" {
		t.Errorf("got %v, want [room.a:3]", got)
	}
}

func unsubscribe(t *testing.T, here, there bus.Bus) {
	Settle(t, here, there, "stop")
	var first, second atomic.Int64
	var mu sync.Mutex
	var stop func()
	mu.Lock()
	stop = subscribe(t, there, "stop", func(bus.Message) {
		first.Add(1)
		mu.Lock()
		defer mu.Unlock()
		stop() // from within: must neither block nor be called again
		stop()
	})
	mu.Unlock()
	other := subscribe(t, there, "stop", func(bus.Message) { second.Add(1) })
	defer other()
	await(t, "messages", func() bool { publish(t, here, "stop", nil); return second.Load() > 10 })
	if n := first.Load(); n != 1 {
		t.Errorf("called %d times, want once", n)
	}
}

// oneOfMany: who unsubscribes takes nothing from others, and a subject can be
// followed again.
func oneOfMany(t *testing.T, here, there bus.Bus) {
	for range 3 {
		var n atomic.Int64
		gone := subscribe(t, there, "again", func(bus.Message) {})
		stop := subscribe(t, there, "again", func(bus.Message) { n.Add(1) })
		gone()
		gone() // twice is once
		await(t, "a message", func() bool { publish(t, here, "again", nil); return n.Load() > 0 })
		stop()
	}
}

func manyAtOnce(t *testing.T, here, there bus.Bus) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			subject := fmt.Sprint("room.", i%3)
			for range 100 {
				stop, err := there.Subscribe(subject, func(bus.Message) {})
				if err != nil {
					t.Error(err)
					return
				}
				publish(t, here, subject, []byte("x"))
				stop()
			}
		})
	}
	wg.Wait()
	Settle(t, here, there, "room.1")
}

// nobody: a message that nobody follows goes nowhere, and is no error.
func nobody(t *testing.T, here, _ bus.Bus) { publish(t, here, "nobody", []byte("x")) }
