// Package traffic has people write into one room while a test breaks a server, and checks that
// nothing that was acknowledged is lost, doubled or out of order, for anybody.
package traffic

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
)

// Password is that of everybody whom Settle registers.
const Password = "an old song about rain"

// Settle registers n people, who use the servers at urls in turn, and makes a public room that all
// are in. It waits for servers that do not answer yet.
func Settle(ctx context.Context, t testing.TB, n int, urls ...string) (people []*client.Client, room string) {
	t.Helper()
	for i := range n {
		c := client.New(urls[i%len(urls)])
		Wait(ctx, t, "registration", func() bool {
			err := c.Register(ctx, client.Registration{Username: fmt.Sprintf("user%d", i), Password: Password})
			var refused *client.Error
			if errors.As(err, &refused) {
				t.Fatal(err)
			}
			return err == nil
		})
		people = append(people, c)
	}
	return people, Gather(ctx, t, people)
}

// Gather makes a public room that all people are in, and returns its id.
func Gather(ctx context.Context, t testing.TB, people []*client.Client) (room string) {
	t.Helper()
	st, err := people[0].CreateRoom(ctx, client.NewRoom{Kind: "public", Name: "Storm"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range people[1:] {
		if err := c.Join(ctx, st.ID); err != nil {
			t.Fatal(err)
		}
	}
	return st.ID
}

// Options are how much is written.
type Options struct {
	Senders int           // concurrent ones
	Pause   time.Duration // of a sender between two messages; 0: none
}

// Traffic is people who write into a room, and all who read it.
type Traffic struct {
	t       testing.TB
	ctx     context.Context
	room    string
	counts  []atomic.Int64 // acknowledgements by sender
	stop    chan struct{}
	senders sync.WaitGroup
	readers []*reader

	mu      sync.Mutex
	acked   map[string]int64 // the numbers of messages, by key
	longest time.Duration
}

// Start has people write, and all of them read, until Stop or the end of ctx or of the test.
func Start(ctx context.Context, t testing.TB, people []*client.Client, room string, o Options) *Traffic {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	f := &Traffic{t: t, ctx: ctx, room: room, stop: make(chan struct{}), acked: make(map[string]int64),
		counts: make([]atomic.Int64, o.Senders)}
	for _, c := range people {
		r := &reader{room: room}
		l := c.Live(ctx, client.LiveOptions{OnEvent: r.add, Rooms: map[string]int64{room: 0}})
		t.Cleanup(l.Close)
		f.readers = append(f.readers, r)
	}
	for i := range o.Senders {
		f.senders.Go(func() { f.send(people[i%len(people)], i, o.Pause) })
	}
	t.Cleanup(func() { cancel(); f.senders.Wait() }) // of a test that has failed before Stop
	return f
}

// send writes one message after the other until it is told to stop, and notes each
// acknowledgement. The client repeats what was not acknowledged, under the same key.
func (f *Traffic) send(c *client.Client, sender int, pause time.Duration) {
	l := c.Live(f.ctx, client.LiveOptions{})
	defer l.Close()
	for i := 0; ; i++ {
		select {
		case <-f.stop:
			return
		case <-time.After(pause):
		}
		key := fmt.Sprintf("s%d-%d", sender, i)
		begin := time.Now()
		sent, err := l.Send(f.ctx, client.Draft{Room: f.room, Key: key, Text: key})
		if errors.Is(f.ctx.Err(), context.Canceled) {
			return // the test is over
		}
		if err != nil {
			f.t.Errorf("send %s: %v", key, err)
			return
		}
		f.mu.Lock()
		f.acked[key] = sent.Seq
		f.longest = max(f.longest, time.Since(begin))
		f.mu.Unlock()
		f.counts[sender].Add(1)
	}
}

// Await waits until n more messages are acknowledged.
func (f *Traffic) Await(n int64) {
	f.t.Helper()
	sum := func() (sum int64) {
		for i := range f.counts {
			sum += f.counts[i].Load()
		}
		return sum
	}
	want := sum() + n
	Wait(f.ctx, f.t, fmt.Sprintf("%d messages are acknowledged", n), func() bool { return sum() >= want })
}

// AwaitAll waits until each sender has written a message and got its acknowledgement: that of the
// message before may be on its way.
func (f *Traffic) AwaitAll() {
	f.t.Helper()
	for i := range f.counts {
		want := f.counts[i].Load() + 2
		Wait(f.ctx, f.t, fmt.Sprintf("sender %d writes", i), func() bool { return f.counts[i].Load() >= want })
	}
}

// Stop lets each sender wait for its last acknowledgement.
func (f *Traffic) Stop() {
	close(f.stop)
	f.senders.Wait()
}

// Acked returns what was acknowledged: the numbers of messages by their keys.
func (f *Traffic) Acked() map[string]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make(map[string]int64, len(f.acked))
	for key, seq := range f.acked {
		all[key] = seq
	}
	return all
}

// Longest returns how long a message has waited for its acknowledgement at most since the last
// call, repetitions by the client included.
func (f *Traffic) Longest() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.longest
	f.longest = 0
	return d
}

// Wait waits until ok, which it asks often.
func Wait(ctx context.Context, t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("time is up; waited until %s", what)
		case <-tick.C:
		}
	}
}
