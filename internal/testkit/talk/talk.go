// Package talk has people talk while a test breaks servers, each on two devices: in a room and in threads, with
// reactions and files. It checks that what was acknowledged is there, that reactions are the same for everybody, that
// files are whole, and that what is unread is the same on all devices of a user, and what follows from the log.
package talk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// Options say who talks.
type Options struct {
	Servers []string      // URLs: each device uses the next one
	People  int           // of whom the first uploads files as well
	Pause   time.Duration // of a person between two requests
	Files   time.Duration // between two files
	Seed    uint64
}

// Talk is people in a room of their own.
type Talk struct {
	t      testing.TB
	ctx    context.Context
	o      Options
	room   string
	people []*person
	files  *posting
	stop   chan struct{}
	all    sync.WaitGroup
	done   atomic.Int64 // requests that were acknowledged
	lost   atomic.Int64 // answers that did not come

	mu      sync.Mutex
	asked   map[string]*line // by key
	said    []*line          // those that were acknowledged and stay, in the order of the answers
	head    int64            // last number that was acknowledged
	changed []reacted
}

// A line is a message as it was asked for.
type line struct {
	key       string
	by        int
	root      int64 // of the thread that it is in
	broadcast bool
	names     []int // of people
	fleeting  bool  // its sender may delete it, so that nobody answers or reacts to it
	seq       int64 // acknowledged
	deleted   bool  // this was acknowledged
}

func (l *line) main() bool { return l.root == 0 || l.broadcast }

// A reacted is a change of reactions that was acknowledged as an event.
type reacted struct {
	event int64
	wish
	remove bool
}

// A wish is whether somebody wants an emoji at a message.
type wish struct {
	by    int
	seq   int64
	emoji string
}

// A person does one thing after the other. What the person has read is what was acknowledged.
type person struct {
	*Talk
	n       int
	name    string
	id      string
	devices [2]*device
	rng     *rand.Rand

	wants    map[wish]bool
	doubtful map[wish]bool // a request may still be on its way
	own      []*line       // fleeting ones

	read, threadsRead int64
	threads           map[int64]int64 // read marks, by roots
}

// A device holds the messages of the room as events tell of them.
type device struct {
	c    *client.Client
	name string
	live *client.Live

	mu       sync.Mutex
	last     int64
	messages map[int64]*client.Message
	trouble  string
}

var emoji = []string{"👍", "🎉", "😂"}

// Start has people talk until Stop, or the end of ctx or of the test.
func Start(ctx context.Context, t testing.TB, o Options) *Talk {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	talk := &Talk{t: t, ctx: ctx, o: o, stop: make(chan struct{}), asked: map[string]*line{}}
	for i := range o.People {
		talk.people = append(talk.people, talk.enter(i))
	}
	for _, p := range talk.people {
		p.join()
	}
	for _, p := range talk.people {
		for _, d := range p.devices {
			d.listen(ctx, talk.room, 0)
		}
		talk.all.Go(p.run)
	}
	talk.files = startPosting(talk, talk.people[0])
	t.Cleanup(func() { cancel(); talk.all.Wait(); talk.files.all.Wait() }) // of a test that has failed before Stop
	return talk
}

// enter registers a person, and signs the second device in.
func (t *Talk) enter(n int) *person {
	t.t.Helper()
	p := &person{Talk: t, n: n, name: fmt.Sprint("talker", n), rng: rand.New(rand.NewPCG(t.o.Seed, uint64(n))),
		wants: map[wish]bool{}, doubtful: map[wish]bool{}, threads: map[int64]int64{}}
	for i := range p.devices {
		server := t.o.Servers[(2*n+i)%len(t.o.Servers)]
		p.devices[i] = &device{c: client.New(server), name: p.name, messages: map[int64]*client.Message{}}
	}
	phone, desk := p.devices[0].c, p.devices[1].c
	err := phone.Register(t.ctx, client.Registration{Username: p.name, Password: traffic.Password})
	if err == nil {
		err = desk.SignIn(t.ctx, p.name, traffic.Password)
	}
	me, failed := phone.Me(t.ctx)
	if err = errors.Join(err, failed); err != nil {
		t.t.Fatal(err)
	}
	p.id = me.ID
	return p
}

// join lets the person into the room, which the first one makes.
func (p *person) join() {
	p.t.Helper()
	c := p.devices[0].c
	if p.n == 0 {
		st, err := c.CreateRoom(p.ctx, client.NewRoom{Kind: "public", Name: "Talk"})
		if err != nil {
			p.t.Fatal(err)
		}
		p.Talk.room = st.ID
	} else if err := c.Join(p.ctx, p.room); err != nil {
		p.t.Fatal(err)
	}
	st, err := c.Room(p.ctx, p.room)
	if err != nil {
		p.t.Fatal(err)
	}
	p.read, p.head = st.Read, st.Head
}

// listen connects, until ctx ends, and follows the room from an event on.
func (d *device) listen(ctx context.Context, room string, after int64) {
	d.live = d.c.Live(ctx, client.LiveOptions{
		Rooms:   map[string]int64{room: after},
		OnEvent: func(e client.Event) { d.hear(room, e) },
		OnReset: func(r string) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if r == room {
				d.trouble = "was told that events are no longer kept"
			}
		},
	})
}

func (d *device) hear(room string, e client.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.Room != room {
		return
	}
	if e.Seq != d.last+1 {
		d.trouble = fmt.Sprintf("was shown %d after %d", e.Seq, d.last)
	}
	d.last = e.Seq
	if m := e.Message; m != nil {
		d.messages[m.Seq] = m
	} else if e.Detail != nil && d.messages[e.Detail.Of] != nil {
		client.ApplyReaction(d.messages[e.Detail.Of], e, "")
	}
}

// stay signs in again, and connects, if the session has ended: a fault may take the answer with its tokens.
func (d *device) stay(ctx context.Context, room string) {
	if d.live.State() == client.Ended && d.c.SignIn(ctx, d.name, traffic.Password) == nil {
		d.listen(ctx, room, d.live.Positions()[room])
	}
}

func (d *device) heard() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

func (p *person) run() {
	for n := 0; ; n++ {
		select {
		case <-p.stop:
			return
		case <-p.ctx.Done():
			return
		case <-time.After(p.o.Pause):
		}
		for _, d := range p.devices {
			d.stay(p.ctx, p.room)
		}
		if err := p.step(n); err != nil && p.ctx.Err() == nil {
			p.t.Errorf("%s: %v", p.name, err)
			return
		}
	}
}

// device is the one that the person has at hand.
func (p *person) device() *device { return p.devices[p.rng.IntN(len(p.devices))] }

func (p *person) step(n int) error {
	p.mu.Lock()
	head := p.head
	target := (*line)(nil)
	if len(p.Talk.said) > 0 {
		recent := p.Talk.said[max(0, len(p.Talk.said)-20):]
		target = recent[p.rng.IntN(len(recent))]
	}
	p.mu.Unlock()
	roll := p.rng.IntN(100)
	switch {
	case target == nil || roll < 35:
		return p.say(n, target)
	case roll < 65:
		return p.react(wish{p.n, target.seq, emoji[p.rng.IntN(len(emoji))]})
	case roll < 85:
		return p.readRoom(max(1, head-p.rng.Int64N(8)), roll < 80)
	case roll < 95 && target.root != 0:
		return p.readThread(target.root, target.seq)
	}
	return p.remove()
}

// again asks until the server answers. It reports whether an answer has not come: then that request may be executed,
// or not, or later. Who has no session any more signs in.
func (t *Talk) again(d *device, do func(context.Context) error) (doubt bool, err error) {
	for {
		ctx, cancel := context.WithTimeout(t.ctx, 45*time.Second)
		err := do(ctx)
		cancel()
		no, answered := errors.AsType[*client.Error](err)
		switch {
		case t.ctx.Err() != nil:
			return true, t.ctx.Err()
		case err == nil:
			t.done.Add(1)
			return doubt, nil
		case d.c.Tokens().Refresh == "":
			_ = d.c.SignIn(t.ctx, d.name, traffic.Password) // else the next time
		case answered && no.Kind != "unavailable" && no.Kind != "internal" && no.Code != client.CodeRefreshRaced:
			return doubt, err
		}
		t.lost.Add(1)
		doubt = true
		select {
		case <-t.ctx.Done():
			return doubt, t.ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *person) say(n int, target *line) error {
	l := &line{key: fmt.Sprintf("t%d-%d", p.n, n), by: p.n, fleeting: p.rng.IntN(6) == 0}
	if target != nil && p.rng.IntN(10) < 6 {
		if l.root = target.root; l.root == 0 {
			l.root = target.seq
		}
		l.broadcast = p.rng.IntN(4) == 0
	}
	text := "line " + l.key
	if other := p.rng.IntN(len(p.people)); !l.fleeting && other != p.n && p.rng.IntN(2) == 0 {
		l.names = []int{other}
		text = "@" + p.people[other].name + " " + text
	}
	p.mu.Lock()
	p.asked[l.key] = l
	p.mu.Unlock()
	d := p.device()
	var sent client.Sent
	_, err := p.again(d, func(ctx context.Context) (err error) {
		sent, err = d.c.Send(ctx, client.Draft{Room: p.room, Key: l.key, Text: text, Thread: l.root,
			Broadcast: l.broadcast})
		return err
	})
	if err != nil {
		return fmt.Errorf("send %s: %w", l.key, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.seq, p.head = sent.Seq, max(p.head, sent.Seq)
	if l.fleeting {
		p.own = append(p.own, l)
	} else {
		p.Talk.said = append(p.Talk.said, l)
	}
	return nil
}

// react turns a reaction of the person to the contrary.
func (p *person) react(w wish) error {
	d, remove := p.device(), p.wants[w]
	p.wants[w] = !remove
	var r client.Reacted
	doubt, err := p.again(d, func(ctx context.Context) (err error) {
		if remove {
			r, err = d.c.Unreact(ctx, p.room, w.seq, w.emoji)
		} else {
			r, err = d.c.React(ctx, p.room, w.seq, w.emoji)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("react to %d: %w", w.seq, err)
	}
	p.doubtful[w] = p.doubtful[w] || doubt
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Seq != 0 {
		p.changed = append(p.changed, reacted{r.Seq, w, remove})
		p.head = max(p.head, r.Seq)
	} else if !p.doubtful[w] {
		return fmt.Errorf("the reaction %s to %d was so already, though nobody else may change it", w.emoji, w.seq)
	}
	return nil
}

func (p *person) readRoom(seq int64, main bool) error {
	d := p.device()
	_, err := p.again(d, func(ctx context.Context) error {
		return d.c.Do(ctx, "PUT", "/rooms/"+p.room+"/read", map[string]any{"seq": seq, "main": main}, nil)
	})
	if err != nil {
		return fmt.Errorf("read up to %d: %w", seq, err)
	}
	p.read = max(p.read, seq)
	if !main {
		p.threadsRead = max(p.threadsRead, seq)
	}
	return nil
}

func (p *person) readThread(root, seq int64) error {
	d := p.device()
	_, err := p.again(d, func(ctx context.Context) error {
		_, err := d.c.MarkThread(ctx, p.room, root, seq)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the thread of %d up to %d: %w", root, seq, err)
	}
	p.threads[root] = max(p.threads[root], seq)
	return nil
}

func (p *person) remove() error {
	if len(p.own) == 0 {
		return nil
	}
	l := p.own[0]
	p.own = p.own[1:]
	d := p.device()
	doubt, err := p.again(d, func(ctx context.Context) error {
		return d.c.Do(ctx, "DELETE", fmt.Sprint("/rooms/", p.room, "/messages/", l.seq), nil, nil)
	})
	if _, answered := errors.AsType[*client.Error](err); err != nil && (!doubt || !answered) {
		return fmt.Errorf("delete %s: %w", l.key, err) // else it is deleted already: the log tells
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.deleted = true
	return nil
}

// Await waits until n more requests are acknowledged, and one more file is posted.
func (t *Talk) Await(n int64) {
	t.t.Helper()
	want := t.done.Load() + n
	traffic.Wait(t.ctx, t.t, fmt.Sprint(n, " requests of a talk are acknowledged"),
		func() bool { return t.done.Load() >= want || t.t.Failed() })
	t.files.await()
}

// Stop lets everybody wait for the last answer, and settles what is in doubt.
func (t *Talk) Stop() {
	close(t.stop)
	t.all.Wait()
	t.files.all.Wait()
	for _, p := range t.people {
		for w := range p.doubtful {
			if p.doubtful[w] {
				p.wants[w] = !p.wants[w] // react turns it back
				if err := p.react(w); err != nil {
					t.t.Errorf("%s: %v", p.name, err)
				}
			}
		}
	}
}
