package gateway

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// as returns a client with a token of a user.
func (n *node) as(user string) *client.Client {
	c := client.New("http" + strings.TrimPrefix(n.url, "ws"))
	c.Token(user)
	return c
}

// cut resets all connections.
func (n *node) cut() {
	for _, c := range n.g.allConns() {
		_ = c.nc.Close()
	}
}

// TestClientResumes sends from several clients while connections are cut and the bus loses messages.
// Every reader gets each event once, in order, and every acknowledged message is there.
func TestClientResumes(t *testing.T) {
	t.Parallel()
	w := &onceWorld{world: newWorld(), sent: map[string]domain.Event{}}
	n := start(t, w.world, func(d *Deps) { d.Chat = w })
	const senders, each = 4, 50
	for i := range senders {
		n.join(fmt.Sprint("u", i), "r1")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	var acked sync.Map
	var lives []*client.Live
	var got [senders][]client.Event
	var heard [senders]atomic.Int64
	for i := range senders {
		l := n.as(fmt.Sprint("u", i)).Live(ctx, client.LiveOptions{
			Rooms:   map[string]int64{"r1": 0},
			OnEvent: func(e client.Event) { got[i] = append(got[i], e); heard[i].Store(e.Seq) },
		})
		lives = append(lives, l)
		wg.Go(func() {
			for j := range each {
				s, err := l.Send(ctx, client.Draft{Room: "r1", Text: fmt.Sprint(i, "-", j)})
				if err != nil {
					t.Error(err)
					return
				}
				acked.Store(s.Message.Text, s.Seq)
			}
		})
	}
	stop := make(chan struct{})
	var chaos sync.WaitGroup
	chaos.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(30 * time.Millisecond):
			}
			n.set(func(w *world) { w.lose = i%2 == 0 })
			if i%5 == 0 {
				n.cut()
			}
		}
	})
	wg.Wait()
	close(stop)
	chaos.Wait()
	n.set(func(w *world) { w.lose = false })
	last := n.say("u0", "r1", "the end").Seq
	eventually(t, "every reader has everything", func() bool {
		for i := range heard {
			if heard[i].Load() != last {
				return false
			}
		}
		return true
	})
	for _, l := range lives {
		l.Close()
	}
	if want := int64(senders + senders*each + 1); last != want {
		t.Errorf("the log has %d events, want %d", last, want)
	}
	for i := range got {
		for j, e := range got[i] {
			if e.Seq != int64(j+1) {
				t.Fatalf("reader %d got event %d at place %d", i, e.Seq, j+1)
			}
			if e.Message == nil {
				continue
			}
			if seq, ok := acked.Load(e.Message.Text); ok && seq != e.Seq {
				t.Fatalf("%s was acknowledged as %v and delivered as %d", e.Message.Text, seq, e.Seq)
			}
		}
	}
}

// onceWorld stores a message once per key, as the log does.
type onceWorld struct {
	*world
	mu   sync.Mutex
	sent map[string]domain.Event
}

func (w *onceWorld) Send(ctx context.Context, p domain.Principal, d domain.Draft) (domain.Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e, ok := w.sent[p.ID+d.Key]; ok {
		return e, nil
	}
	e, err := w.world.Send(ctx, p, d)
	if err == nil {
		w.sent[p.ID+d.Key] = e
	}
	return e, err
}

func TestClientStopsWhenRevoked(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	l := n.as("ada/s1").Live(t.Context(), client.LiveOptions{})
	defer l.Close()
	if err := l.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.bus.Publish(bus.RevokeSubject, []byte(`{"user":"ada","session":"s1","reason":"signed_out"}`))
	eventually(t, "it ends", func() bool { return l.State() == client.Ended })
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "4410") {
		t.Errorf("it ended because of %v", err)
	}
	if _, err := l.Send(t.Context(), client.Draft{Room: "r1", Text: "x"}); err == nil {
		t.Error("a message can be sent after the end")
	}
}

func TestClientRenewsItsToken(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	c := client.New("http" + strings.TrimPrefix(n.url, "ws"))
	var refreshed atomic.Int64
	c.Source = func(_ context.Context, refresh bool) (string, error) {
		if refresh {
			refreshed.Add(1)
			return "ada/s1/1h", nil
		}
		return "ada/s1/30s", nil
	}
	l := c.Live(t.Context(), client.LiveOptions{})
	defer l.Close()
	if err := l.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection has a later token", func() bool {
		all := n.g.allConns()
		return refreshed.Load() == 1 && len(all) == 1 && time.Until(all[0].who().Expires) > 50*time.Minute
	})
}

func TestClientIsToldToStayAway(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	l := n.as("bad").Live(t.Context(), client.LiveOptions{})
	defer l.Close()
	if err := l.Ready(t.Context()); err == nil {
		t.Fatal("a bad token was let in")
	}
}
