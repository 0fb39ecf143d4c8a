//go:build unix

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
)

const (
	password  = "an old song about rain"
	halls     = 6 // public rooms whose members never leave
	clubs     = 4 // private rooms whose owner adds and kicks members
	openClubs = 2 // public ones, whose members also join and leave
	guests    = 8 // possible members of each club
	devices   = 24
	talkers   = 4 // people with two devices each, in a room of their own
	thinkTime = 700 * time.Millisecond
	patience  = 45 * time.Second // for an answer
)

// A workload is 64 people with their rooms.
type workload struct {
	h       *History
	people  []*person
	halls   []string
	clubs   []string // the open ones last
	stop    atomic.Bool
	retries atomic.Int64 // sign-ins after a session had ended
}

// A person sends one request after the other, on one live connection.
type person struct {
	*workload
	name, id string
	c        *client.Client
	rng      *rand.Rand
	halls    []string
	club     string // of which the person may be a member; empty: none
	guests   []*person
	sent     []*sentMessage
	since    atomic.Int64 // start of the present connection

	mu   sync.Mutex
	live *client.Live
}

// A sentMessage is a message that a person has sent.
type sentMessage struct {
	room, key string
	seq       int64
	version   int
	gone      bool // deleted, or maybe
}

func (w *workload) setUp(ctx context.Context, t *testing.T, seed uint64, url func(i int) string) {
	t.Helper()
	var wg sync.WaitGroup
	turn := make(chan struct{}, 4) // hashing passwords takes much memory
	for i := range people {
		p := &person{workload: w, name: fmt.Sprintf("person%02d", i), c: client.New(url(i)),
			rng: rand.New(rand.NewPCG(seed, uint64(i+100)))}
		w.people = append(w.people, p)
		wg.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			if err := p.c.Register(ctx, client.Registration{Username: p.name, Password: password}); err != nil {
				t.Errorf("register %s: %v", p.name, err)
				return
			}
			me, err := p.c.Me(ctx)
			if err != nil {
				t.Errorf("who is %s: %v", p.name, err)
			}
			p.id = me.ID
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for i := range halls {
		w.halls = append(w.halls, w.open(ctx, t, w.people[i], "public", fmt.Sprint("Hall ", i)))
	}
	for i := range clubs + openClubs {
		kind := "private"
		if i >= clubs {
			kind = "public"
		}
		w.clubs = append(w.clubs, w.open(ctx, t, w.people[i], kind, fmt.Sprint("Club ", i)))
		w.people[i].club = w.clubs[i]
	}
	for i, p := range w.people {
		for _, j := range []int{i % halls, (i + 1) % halls, (i + 3) % halls} {
			p.halls = append(p.halls, w.halls[j])
			if i != j {
				if p.do(ctx, Op{Kind: Join, Room: w.halls[j]},
					func(ctx context.Context, _ *Op) error { return p.c.Join(ctx, w.halls[j]) }) != Acked {
					t.Fatalf("%s cannot join a hall", p.name)
				}
			}
			w.h.Stable[w.halls[j]] = append(w.h.Stable[w.halls[j]], p.id)
		}
		if club := i/guests - 1; club >= 0 && club < len(w.clubs) {
			p.club = w.clubs[club]
			w.people[club].guests = append(w.people[club].guests, p)
		}
	}
}

func (w *workload) open(ctx context.Context, t *testing.T, owner *person, kind, name string) string {
	t.Helper()
	begin := w.h.Now()
	st, err := owner.c.CreateRoom(ctx, client.NewRoom{Kind: kind, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	w.h.Add(Op{Kind: Join, Who: owner.id, Room: st.ID, Start: begin, End: w.h.Now(), Outcome: Acked})
	w.h.Stable[st.ID] = append(w.h.Stable[st.ID], owner.id)
	return st.ID
}

// rooms returns all rooms.
func (w *workload) rooms() []string { return slices.Concat(w.halls, w.clubs) }

// connect connects, and receives each room from the numbers in from; nil: from the first event.
func (p *person) connect(ctx context.Context, from map[string]int64) {
	if from == nil {
		from = make(map[string]int64)
		for _, room := range p.rooms() {
			from[room] = 0
		}
	}
	l := p.c.Live(ctx, client.LiveOptions{
		Rooms:   from,
		OnEvent: func(e client.Event) { p.h.Observed(p.id, e) },
		OnReset: func(room string) { p.h.Reset(p.id, room) },
		OnState: func(s client.State, _ error) {
			if s == client.Connecting {
				p.since.Store(int64(p.h.Now()))
			}
		},
		OnHello: func(h client.Hello) {
			for _, r := range h.Rooms {
				if slices.Contains(p.halls, r.ID) {
					p.h.Add(Op{Kind: GetMark, Who: p.id, Room: r.ID, Start: time.Duration(p.since.Load()), End: p.h.Now(),
						Outcome: Acked, Seq: r.Read})
				}
			}
		},
	})
	p.mu.Lock()
	p.live = l
	p.mu.Unlock()
}

// reconnect opens another connection that continues where the last one ended.
func (p *person) reconnect(ctx context.Context) {
	p.live.Close()
	p.connect(ctx, p.live.Positions())
}

// do sends a request and records its outcome.
func (p *person) do(ctx context.Context, op Op, ask func(context.Context, *Op) error) Outcome {
	op.Who, op.Start = p.id, p.h.Now()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := ask(ctx, &op)
	op.End = p.h.Now()
	var no *client.Error
	switch {
	case err == nil:
		op.Outcome = Acked
	case errors.As(err, &no) && slices.Contains([]string{"invalid", "forbidden", "not_found", "conflict", "too_large"},
		no.Kind) && no.Code != client.CodeRefreshRaced:
		op.Outcome = Refused
		op.Errors = append(op.Errors, err.Error())
	default:
		op.Errors = append(op.Errors, err.Error())
	}
	p.h.Add(op)
	return op.Outcome
}

// run sends requests until the workload stops.
func (p *person) run(ctx context.Context, t *testing.T) {
	for n := 0; !p.stop.Load(); n++ {
		select {
		case <-time.After(time.Duration(p.rng.ExpFloat64() * float64(thinkTime))): // between two requests
		case <-ctx.Done():
			return
		}
		if p.live.State() == client.Ended || p.c.Tokens().Refresh == "" {
			p.retries.Add(1)
			if err := p.c.SignIn(ctx, p.name, password); err != nil {
				continue
			}
			p.reconnect(ctx)
		}
		p.step(ctx, n)
	}
}

func (p *person) step(ctx context.Context, n int) {
	room := p.halls[p.rng.IntN(len(p.halls))]
	if p.club != "" && p.rng.IntN(3) == 0 {
		room = p.club
	}
	if len(p.guests) > 0 && p.rng.IntN(3) == 0 {
		p.membership(ctx)
		return
	}
	switch roll := p.rng.IntN(100); {
	case roll < 55:
		p.send(ctx, room, n)
	case roll < 65:
		p.edit(ctx)
	case roll < 69:
		p.deleteMessage(ctx)
	case roll < 79:
		p.setMark(ctx)
	case roll < 83:
		p.getMark(ctx)
	case roll < 91:
		p.fetch(ctx, room)
	case roll < 93:
		p.reconnect(ctx)
	default:
		p.membership(ctx)
	}
}

func (p *person) send(ctx context.Context, room string, n int) {
	m := &sentMessage{room: room, key: fmt.Sprintf("%s-%d", p.name, n)}
	how := p.rng.IntN(4)
	if p.do(ctx, Op{Kind: Send, Room: room, Key: m.key, Retried: true}, func(ctx context.Context, op *Op) (err error) {
		d := client.Draft{Room: room, Key: m.key, Text: text(m.key, 0)}
		var s client.Sent
		if how == 0 {
			s, err = p.retryUntilAcked(ctx, d)
		} else {
			s, err = p.live.Send(ctx, d)
		}
		op.Seq, m.seq = s.Seq, s.Seq
		return err
	}) == Acked {
		p.sent = append(p.sent, m)
		if len(p.sent) > 20 {
			p.sent = p.sent[1:]
		}
	}
}

// retryUntilAcked sends by REST, and retries with the same key until there is a definite answer.
func (p *person) retryUntilAcked(ctx context.Context, d client.Draft) (client.Sent, error) {
	for {
		s, err := p.c.Send(ctx, d)
		var no *client.Error
		if err == nil || errors.As(err, &no) && no.Kind != "unavailable" && no.Kind != "internal" {
			return s, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return s, err
		}
	}
}

// ownMessage returns one of the person's own messages that was not deleted, or nil.
func (p *person) ownMessage() *sentMessage {
	if len(p.sent) == 0 {
		return nil
	}
	if m := p.sent[p.rng.IntN(len(p.sent))]; !m.gone {
		return m
	}
	return nil
}

func (p *person) edit(ctx context.Context) {
	m := p.ownMessage()
	if m == nil {
		return
	}
	m.version++
	p.do(ctx, Op{Kind: Edit, Room: m.room, Key: m.key, Version: m.version}, func(ctx context.Context, op *Op) error {
		s, err := p.live.Edit(ctx, m.room, m.seq, text(m.key, m.version))
		op.Seq = s.Seq
		return err
	})
}

func (p *person) deleteMessage(ctx context.Context) {
	m := p.ownMessage()
	if m == nil {
		return
	}
	m.gone = true
	p.do(ctx, Op{Kind: Delete, Room: m.room, Key: m.key}, func(ctx context.Context, op *Op) error {
		s, err := p.live.Delete(ctx, m.room, m.seq)
		op.Seq = s.Seq
		return err
	})
}

func (p *person) setMark(ctx context.Context) {
	room := p.halls[p.rng.IntN(len(p.halls))]
	at := p.live.Positions()[room]
	if p.rng.IntN(4) == 0 {
		at = max(1, at-50) // as a device that is behind would
	}
	p.do(ctx, Op{Kind: Mark, Room: room}, func(ctx context.Context, op *Op) error {
		m, err := p.live.MarkRead(ctx, room, at)
		op.Seq = m.Seq
		return err
	})
}

func (p *person) getMark(ctx context.Context) {
	room := p.halls[p.rng.IntN(len(p.halls))]
	p.do(ctx, Op{Kind: GetMark, Room: room}, func(ctx context.Context, op *Op) error {
		st, err := p.c.Room(ctx, room)
		op.Seq = st.Read
		return err
	})
}

func (p *person) fetch(ctx context.Context, room string) {
	after := max(0, p.live.Positions()[room]-20)
	p.do(ctx, Op{Kind: Fetch, Room: room, After: after}, func(ctx context.Context, op *Op) error {
		r, err := p.c.Events(ctx, room, after, 50)
		op.Head = r.Head
		for _, e := range r.Events {
			op.Events = append(op.Events, observe(e))
		}
		return err
	})
}

// membership changes members: owners add and kick guests; guests leave, and join where they may.
func (p *person) membership(ctx context.Context) {
	switch {
	case len(p.guests) > 0:
		g := p.guests[p.rng.IntN(len(p.guests))]
		if p.rng.IntN(2) == 0 {
			p.do(ctx, Op{Kind: Kick, Room: p.club, Subject: g.id},
				func(ctx context.Context, _ *Op) error { return p.c.Kick(ctx, p.club, g.id, "") })
		} else {
			p.do(ctx, Op{Kind: Add, Room: p.club, Subject: g.id},
				func(ctx context.Context, _ *Op) error { return p.c.Add(ctx, p.club, g.id) })
		}
	case p.club == "":
	case p.rng.IntN(2) == 0:
		p.do(ctx, Op{Kind: Leave, Room: p.club}, func(ctx context.Context, _ *Op) error { return p.c.Leave(ctx, p.club) })
	default:
		p.do(ctx, Op{Kind: Join, Room: p.club}, func(ctx context.Context, _ *Op) error { return p.c.Join(ctx, p.club) })
	}
}
