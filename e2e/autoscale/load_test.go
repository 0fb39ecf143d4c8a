//go:build unix

package autoscale

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

const (
	people   = 8
	rooms    = 2
	password = "seven quiet otters row north"
	pause    = time.Second            // between two messages of a person
	look     = 250 * time.Millisecond // between two requests of a person
	dialing  = 40 * time.Millisecond  // between two new connections
)

// A load is people with connections, of which each sees every event of its room. It
// writes down whatever is not as it should be.
type load struct {
	t      *testing.T
	people []*person
	rooms  []string
	want   atomic.Int64 // connections
	work   sync.WaitGroup
	stop   context.CancelFunc // of whoever writes
	conns  []*conn            // of the goroutine that opens and closes them; those that write first

	mu     sync.Mutex
	texts  map[string]map[int64]string // what connections have seen, by room
	acked  []ack
	faults []string
	moves  []move
}

type person struct {
	name, room string
	c          *client.Client
}

// An ack is a message that a server has accepted.
type ack struct {
	room, text string
	seq        int64
}

// A move is a connection that a server ended, and its return.
type move struct{ closed, back time.Time }

// A conn is one connection, which reconnects by itself.
type conn struct {
	*client.Live
	name   string
	closed time.Time // by a server that drains; zero: it is connected
	last   int64     // number of the last event; -1: it was not connected yet
}

// newLoad makes the people and their rooms.
func newLoad(t *testing.T, url string, trust *tls.Config) *load {
	t.Helper()
	w := &load{t: t, texts: make(map[string]map[int64]string)}
	ctx := t.Context()
	for i := range people {
		p := &person{name: fmt.Sprint("person", i), c: client.New(url)}
		p.c.Trust(trust)
		if err := p.c.Register(ctx, client.Registration{Username: p.name, Password: password}); err != nil {
			t.Fatal(err)
		}
		if i < rooms {
			room, err := p.c.CreateRoom(ctx, client.NewRoom{Kind: "public", Name: fmt.Sprint("Room ", i)})
			if err != nil {
				t.Fatal(err)
			}
			w.rooms = append(w.rooms, room.ID)
			w.texts[room.ID] = make(map[int64]string)
		}
		p.room = w.rooms[i%rooms]
		if i >= rooms {
			if err := p.c.Join(ctx, p.room); err != nil {
				t.Fatal(err)
			}
		}
		w.people = append(w.people, p)
	}
	ctx, w.stop = context.WithCancel(ctx)
	t.Cleanup(w.end)
	w.want.Store(people)
	for _, p := range w.people {
		l := w.connect(p)
		w.work.Go(func() { w.write(ctx, p, l) })
		w.work.Go(func() { w.ask(ctx, p) })
	}
	w.work.Go(func() { w.grow(ctx) })
	return w
}

// end stops everybody who does anything.
func (w *load) end() {
	w.stop()
	w.work.Wait()
}

// write sends a message after the other, whatever happens to the connection.
func (w *load) write(ctx context.Context, p *person, l *conn) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := 0; ; i++ {
		text := fmt.Sprint(p.name, " says ", i)
		sent, err := l.Send(context.WithoutCancel(ctx), client.Draft{Room: p.room, Text: text}) // it is awaited at the end
		if err != nil {
			w.fault("send %q: %v", text, err)
			return
		}
		w.accepted(p, text, sent)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *load) accepted(p *person, text string, sent client.Sent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked = append(w.acked, ack{p.room, text, sent.Seq})
}

// ask uses the API again and again: it reads, and posts a message now and then.
func (w *load) ask(ctx context.Context, p *person) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for i := 0; ; i++ {
		if _, err := p.c.Room(context.WithoutCancel(ctx), p.room); err != nil {
			w.fault("%s asks for the room: %v", p.name, err)
		}
		if i%4 == 0 {
			text := fmt.Sprint(p.name, " posts ", i)
			sent, err := p.c.Send(context.WithoutCancel(ctx), client.Draft{Room: p.room, Text: text})
			if err != nil {
				w.fault("post %q: %v", text, err)
			} else {
				w.accepted(p, text, sent)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// grow opens and closes connections until there are as many as there are to be.
func (w *load) grow(ctx context.Context) {
	tick := time.NewTicker(dialing)
	defer tick.Stop()
	for i := 0; ; i++ {
		switch n, want := len(w.conns), int(w.want.Load()); {
		case n < want:
			w.connect(w.people[i%people])
		case n > want:
			at := people + (i*7)%(n-people) // any of those that only read
			w.conns[at].Close()
			w.conns = slices.Delete(w.conns, at, at+1)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *load) connect(p *person) *conn {
	k := &conn{name: fmt.Sprint("connection of ", p.name), last: -1}
	k.Live = p.c.Live(context.WithoutCancel(w.t.Context()), client.LiveOptions{
		OnHello: func(h client.Hello) { w.hello(k, p.room, h) },
		OnEvent: func(e client.Event) { w.event(k, e) },
		OnReset: func(room string) { w.fault("%s is to load %s again", k.name, room) },
		OnState: func(s client.State, err error) { w.state(k, s, err) },
	})
	w.t.Cleanup(k.Close)
	w.conns = append(w.conns, k)
	return k
}

func (w *load) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// hello notes where a connection begins to read, or that it is back.
func (w *load) hello(k *conn, room string, h client.Hello) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !k.closed.IsZero() {
		w.moves = append(w.moves, move{k.closed, time.Now()})
		k.closed = time.Time{}
	}
	for _, r := range h.Rooms {
		if r.ID == room && k.last < 0 {
			k.last = r.Head
		}
	}
}

// event checks that an event is the next one, and the same for everybody.
func (w *load) event(k *conn, e client.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Seq != k.last+1 {
		w.faults = append(w.faults, fmt.Sprintf("%s got event %d after %d", k.name, e.Seq, k.last))
	}
	k.last = e.Seq
	if e.Message == nil {
		return
	}
	if text, ok := w.texts[e.Room][e.Seq]; ok && text != e.Message.Text {
		w.faults = append(w.faults, fmt.Sprintf("event %d is %q and %q", e.Seq, text, e.Message.Text))
	}
	w.texts[e.Room][e.Seq] = e.Message.Text
}

// state notes that a server sends the connection away, which is the only end that it
// is to have.
func (w *load) state(k *conn, s client.State, err error) {
	if s != client.Waiting {
		return
	}
	if err == nil || !strings.HasSuffix(err.Error(), "(1012)") {
		w.fault("%s broke: %v", k.name, err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	k.closed = time.Now()
}

// movesOf returns when the connections of a drained pod came back, in order.
func (w *load) movesOf(d drain) (back []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.moves {
		if m.closed.After(d.began) && m.closed.Before(d.gone) {
			back = append(back, m.back)
		}
	}
	slices.SortFunc(back, time.Time.Compare)
	return back
}

// check compares what was acknowledged, what connections saw and what the rooms' logs
// have, once nobody writes any more.
func (w *load) check() {
	w.t.Helper()
	for i, room := range w.rooms {
		events, _ := traffic.Log(w.t.Context(), w.t, w.people[i].c, room)
		w.mu.Lock()
		log := make(map[int64]string) // the texts of messages, by number
		said := make(map[string]bool)
		for _, e := range events {
			if e.Message == nil {
				continue
			}
			seq, text := e.Seq, e.Message.Text
			log[seq] = text
			if said[text] {
				w.t.Errorf("%q is in the log twice", text)
			}
			said[text] = true
			if seen, ok := w.texts[room][seq]; ok && seen != text {
				w.t.Errorf("event %d is %q in the log, and was delivered as %q", seq, text, seen)
			}
		}
		for _, a := range w.acked {
			if a.room == room && log[a.seq] != a.text {
				w.t.Errorf("%q was acknowledged as %d, and the log has %q there", a.text, a.seq, log[a.seq])
			}
		}
		w.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.faults {
		w.t.Error(f)
	}
	w.t.Logf("%d messages acknowledged, %d connections moved", len(w.acked), len(w.moves))
}

// behind returns a connection that has not seen all of its room yet; empty: none.
func (w *load) behind() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	heads := make(map[string]int64)
	for room, texts := range w.texts {
		for seq := range texts {
			heads[room] = max(heads[room], seq)
		}
	}
	for _, k := range w.conns {
		for room, at := range k.Positions() {
			if heads[room] > at {
				return k.name
			}
		}
	}
	return ""
}
