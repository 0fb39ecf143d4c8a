// Package crash kills the server at random moments under load and checks that
// nothing that was acknowledged is lost, doubled or out of order, for anybody.
package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

const (
	senders = 32
	users   = 4
	least   = 100 // messages acknowledged between two kills
)

func TestKillsLoseNothing(t *testing.T) {
	bin := node.Build(t)
	t.Run("sqlite", func(t *testing.T) { crash(t, bin) })
	t.Run("postgres", func(t *testing.T) { crash(t, bin, "DATABASE_URL="+pgtest.Database(t, nil)) })
}

// newServer starts a server that ends with the test.
func newServer(t *testing.T, bin string, env ...string) *node.Node {
	t.Helper()
	s := node.New(t, bin, os.Stderr, env...)
	s.Start()
	return s
}

// ledger is what the senders were promised.
type ledger struct {
	mu    sync.Mutex
	acked map[string]int64 // by key
	count atomic.Int64
}

// reader is what one connection was shown.
type reader struct {
	mu   sync.Mutex
	seen []client.Event
}

func (r *reader) add(e client.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, e)
}

func (r *reader) last() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) == 0 {
		return 0
	}
	return r.seen[len(r.seen)-1].Seq
}

func crash(t *testing.T, bin string, env ...string) {
	kills := int(testkit.Setting(t, "CRASH_KILLS", 5))
	seed := testkit.Setting(t, "CRASH_SEED", uint64(time.Now().UnixNano()))
	t.Logf("%d kills, repeat with CRASH_SEED=%d", kills, seed)
	rng := rand.New(rand.NewPCG(seed, seed))
	s := newServer(t, bin, env...)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(kills)*30*time.Second)
	defer cancel()
	people, room := settle(ctx, t, s)

	var readers []*reader
	for _, c := range people {
		r := &reader{}
		l := c.Live(ctx, client.LiveOptions{OnEvent: r.add, Rooms: map[string]int64{room: 0}})
		t.Cleanup(l.Close)
		readers = append(readers, r)
	}
	book := &ledger{acked: make(map[string]int64)}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() { send(ctx, t, people[i%users], room, i, book, &stop) })
	}
	for range kills {
		book.count.Store(0)
		wait(ctx, t, "messages are acknowledged", func() bool { return book.count.Load() >= least })
		moment := time.Duration(rng.Int64N(int64(300 * time.Millisecond)))
		<-time.After(moment) // the random moment is the point
		s.Kill()
		s.Start()
	}
	book.count.Store(0)
	wait(ctx, t, "the last start serves", func() bool { return book.count.Load() >= least })
	stop.Store(true)
	wg.Wait()
	check(ctx, t, people[0], room, book, readers)
}

// settle makes users and a room that all are in.
func settle(ctx context.Context, t *testing.T, s *node.Node) (people []*client.Client, room string) {
	t.Helper()
	for i := range users {
		c := client.New(s.URL())
		wait(ctx, t, "registration", func() bool {
			err := c.Register(ctx, client.Registration{Username: fmt.Sprintf("user%d", i), Password: "an old song about rain"})
			var refused *client.Error
			if errors.As(err, &refused) {
				t.Fatal(err)
			}
			return err == nil
		})
		people = append(people, c)
	}
	st, err := people[0].CreateRoom(ctx, client.NewRoom{Kind: "public", Name: "Storm"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range people[1:] {
		if err := c.Join(ctx, st.ID); err != nil {
			t.Fatal(err)
		}
	}
	return people, st.ID
}

// send writes one message after the other until it is told to stop, and notes
// each acknowledgement.
func send(
	ctx context.Context, t *testing.T, c *client.Client, room string, sender int, book *ledger, stop *atomic.Bool,
) {
	l := c.Live(ctx, client.LiveOptions{})
	defer l.Close()
	for i := 0; !stop.Load(); i++ {
		key := fmt.Sprintf("s%d-%d", sender, i)
		sent, err := l.Send(ctx, client.Draft{Room: room, Key: key, Text: key})
		if err != nil {
			t.Errorf("send %s: %v", key, err)
			return
		}
		book.mu.Lock()
		book.acked[key] = sent.Seq
		book.mu.Unlock()
		book.count.Add(1)
	}
}

// check compares what was promised with what is in the log and with what each
// reader was shown.
func check(ctx context.Context, t *testing.T, c *client.Client, room string, book *ledger, readers []*reader) {
	t.Helper()
	var log []client.Event
	for {
		r, err := c.Events(ctx, room, int64(len(log)), 500)
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, r.Events...)
		if !r.More {
			break
		}
	}
	stored := make(map[string]int64)
	for i, e := range log {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d of the log has number %d", i+1, e.Seq)
		}
		if e.Message == nil {
			continue
		}
		if first, ok := stored[e.Message.Key]; ok {
			t.Errorf("%s is there twice: %d and %d", e.Message.Key, first, e.Seq)
		}
		stored[e.Message.Key] = e.Seq
	}
	for key, seq := range book.acked {
		if stored[key] != seq {
			t.Errorf("%s was acknowledged as %d and is %d", key, seq, stored[key])
		}
	}
	head := int64(len(log))
	for i, r := range readers {
		wait(ctx, t, fmt.Sprintf("reader %d has all %d events", i, head), func() bool { return r.last() >= head })
		r.mu.Lock()
		if len(r.seen) != len(log) {
			t.Errorf("reader %d was shown %d events of %d", i, len(r.seen), len(log))
		}
		for j := range min(len(r.seen), len(log)) {
			if e := r.seen[j]; e.Seq != log[j].Seq || e.Message != nil && e.Message.Key != log[j].Message.Key {
				t.Errorf("reader %d was shown %d in place %d", i, e.Seq, j+1)
				break
			}
		}
		r.mu.Unlock()
	}
	t.Logf("%d messages acknowledged, %d events, %d readers agree", len(book.acked), len(log), len(readers))
}

// wait waits until ok, which it asks often.
func wait(ctx context.Context, t *testing.T, what string, ok func() bool) {
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
