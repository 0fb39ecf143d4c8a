package talk

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// Check compares what was acknowledged with the log, and what all devices show with what follows from the log. Stop
// comes first.
func (t *Talk) Check() {
	t.t.Helper()
	reader := t.people[len(t.people)-1].devices[1].c
	log := t.log(reader)
	lines := t.lines(log)
	reactions := t.reactions(log)
	if t.t.Failed() {
		return
	}
	t.same(reader, lines, reactions)
	for _, p := range t.people {
		for i, d := range p.devices {
			traffic.Wait(t.ctx, t.t, "a device has all events", func() bool {
				d.stay(t.ctx, t.room)
				return d.heard() >= int64(len(log))
			})
			d.check(t.t.Errorf, fmt.Sprintf("device %d of %s", i, p.name), reactions)
			p.checkUnread(d, fmt.Sprintf("device %d of %s", i, p.name), p.unread(lines))
		}
	}
	t.files.check(reader)
	t.t.Logf("a talk of %d messages, %d changes of reactions and %d files; %d answers did not come", len(lines),
		len(t.changed), len(t.files.posted), t.lost.Load())
	if len(lines) < 20 || len(t.changed) < 20 {
		t.t.Error("so little was said that it proves nothing")
	}
}

func (t *Talk) log(c *client.Client) (log []client.Event) {
	t.t.Helper()
	for more := true; more; {
		r, err := c.Events(t.ctx, t.room, int64(len(log)), 500)
		if err != nil {
			t.t.Fatal(err)
		}
		log, more = append(log, r.Events...), r.More
	}
	for i, e := range log {
		if e.Seq != int64(i+1) {
			t.t.Fatalf("event %d of the log has number %d", i+1, e.Seq)
		}
	}
	return log
}

// lines returns the messages of the log in its order, as they were asked for.
func (t *Talk) lines(log []client.Event) (all []*line) {
	t.t.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	stored, deleted := map[string]int64{}, map[int64]bool{}
	for _, e := range log {
		switch e.Type {
		case "message.created":
			l := t.asked[e.Message.Key]
			if l == nil || t.people[l.by].id != e.Actor.ID || l.root != e.Message.Thread || l.broadcast != e.Message.Broadcast {
				t.t.Errorf("%d is %+v, and %+v was asked for", e.Seq, e.Message, l)
				continue
			}
			if stored[l.key] != 0 {
				t.t.Errorf("%s is there twice: %d and %d", l.key, stored[l.key], e.Seq)
			}
			stored[l.key] = e.Seq
			all = append(all, l)
		case "message.deleted":
			deleted[e.Message.Seq] = true
		}
	}
	for key, l := range t.asked {
		if l.seq != stored[key] || l.deleted != deleted[l.seq] {
			t.t.Errorf("%s was acknowledged as %d, and is %d; deleted: %v, and in the log %v", key, l.seq, stored[key], l.deleted,
				deleted[l.seq])
		}
	}
	return all
}

// reactions folds the log: who gave which emoji to which message, first given first.
func (t *Talk) reactions(log []client.Event) map[int64][]client.Reaction {
	t.t.Helper()
	all := map[int64]*client.Message{}
	for _, e := range log {
		if e.Type != "reaction.added" && e.Type != "reaction.removed" {
			continue
		}
		if all[e.Detail.Of] == nil {
			all[e.Detail.Of] = &client.Message{Seq: e.Detail.Of}
		}
		client.ApplyReaction(all[e.Detail.Of], e, "")
	}
	for _, c := range t.changed {
		e, typ := log[c.event-1], "reaction.added"
		if c.remove {
			typ = "reaction.removed"
		}
		if e.Type != typ || e.Actor.ID != t.people[c.by].id || e.Detail.Of != c.seq || e.Detail.Emoji != c.emoji {
			t.t.Errorf("%+v was acknowledged, and event %d is %s by %s of %+v", c, e.Seq, e.Type, e.Actor.ID, e.Detail)
		}
	}
	folded := map[int64][]client.Reaction{}
	for seq, m := range all {
		folded[seq] = m.Reactions
	}
	for _, p := range t.people {
		for w, want := range p.wants {
			if has := slices.ContainsFunc(folded[w.seq], func(r client.Reaction) bool {
				return r.Emoji == w.emoji && slices.Contains(r.Users, p.id)
			}); has != want {
				t.t.Errorf("%s wanted %s at %d: %v, and the log says %v", p.name, w.emoji, w.seq, want, has)
			}
		}
	}
	return folded
}

// given is what must be the same for all who look.
func given(all []client.Reaction) string {
	text := ""
	for _, r := range all {
		text += fmt.Sprint(r.Emoji, r.Count, r.Users, " ")
	}
	return text
}

// same compares messages, and threads, as the server shows them with the log.
func (t *Talk) same(c *client.Client, lines []*line, reactions map[int64][]client.Reaction) {
	t.t.Helper()
	threads := map[int64][]int64{}
	for _, l := range lines {
		if l.root != 0 && !l.deleted {
			threads[l.root] = append(threads[l.root], l.seq)
		}
	}
	for _, l := range lines {
		m, err := c.Message(t.ctx, t.room, l.seq)
		if err != nil || given(m.Reactions) != given(reactions[l.seq]) {
			t.t.Errorf("message %d has the reactions %s, and the log says %s; %v", l.seq, given(m.Reactions),
				given(reactions[l.seq]), err)
		}
		count := 0
		if m.Replies != nil {
			count = m.Replies.Count
		}
		if count != len(threads[l.seq]) {
			t.t.Errorf("message %d says that it has %d replies, and the log has %d", l.seq, count, len(threads[l.seq]))
		}
	}
	for root, want := range threads {
		var has []int64
		for cursor := ""; ; {
			page, err := c.Thread(t.ctx, t.room, root, cursor, 50)
			if err != nil {
				t.t.Errorf("the thread of %d: %v", root, err)
				break
			}
			for _, e := range slices.Backward(page.Items) {
				has = append(has, e.Seq)
			}
			if cursor = page.Prev; cursor == "" {
				break
			}
		}
		if slices.Reverse(has); !slices.Equal(has, want) {
			t.t.Errorf("the thread of %d shows %v, and the log says %v", root, has, want)
		}
	}
}

// check compares what the device made of events with the log.
func (d *device) check(fail func(string, ...any), name string, reactions map[int64][]client.Reaction) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.trouble != "" {
		fail("%s %s", name, d.trouble)
	}
	for seq, want := range reactions {
		if m := d.messages[seq]; m == nil || given(m.Reactions) != given(want) {
			fail("%s shows of %d: %+v, and the log says %s", name, seq, m, given(want))
		}
	}
}

// An unread is what a device says that its user has not read.
type unread struct{ messages, mentions, threads int }

// unread follows from the log and from what the person has read, on either device.
func (p *person) unread(lines []*line) (u unread) {
	since := map[int64]int64{} // the reply by which the person follows a thread, by roots
	at := map[int64]*line{}
	first := map[int64]bool{}
	for _, l := range lines {
		at[l.seq] = l
		if root := at[l.root]; root != nil && since[l.root] == 0 {
			begins := !first[l.root] && (root.by == p.n || slices.Contains(root.names, p.n))
			if l.by == p.n || slices.Contains(l.names, p.n) || begins {
				since[l.root] = l.seq
			}
		}
		first[l.root] = true
	}
	fresh := map[int64]bool{}
	for _, l := range lines {
		named := slices.Contains(l.names, p.n)
		if l.deleted {
			continue
		}
		if l.main() && l.seq > p.read && l.by != p.n {
			u.messages++
			if named {
				u.mentions++
			}
		}
		if l.root == 0 || l.by == p.n || l.seq <= max(p.threadsRead, p.threads[l.root]) {
			continue
		}
		if named && !l.broadcast {
			u.mentions++
		}
		if from := since[l.root]; from != 0 && l.seq >= from && (!l.broadcast || l.seq > p.read) {
			fresh[l.root] = true
		}
	}
	u.threads = len(fresh)
	return u
}

// checkUnread compares what a device is told with what is unread: in the room, and when it connects anew.
func (p *person) checkUnread(d *device, name string, want unread) {
	p.t.Helper()
	st, err := d.c.Room(p.ctx, p.room)
	p.told(name, st, err, want)
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	greeted := make(chan client.RoomState, 8)
	l := d.c.Live(ctx, client.LiveOptions{OnHello: func(h client.Hello) {
		for _, st := range h.Rooms {
			if st.ID == p.room {
				greeted <- st
			}
		}
	}})
	defer l.Close()
	select {
	case st := <-greeted:
		p.told(name+", connected anew", st, nil, want)
	case <-ctx.Done():
		p.t.Errorf("%s gets no hello with the room", name)
	}
}

func (p *person) told(name string, st client.RoomState, err error, want unread) {
	p.t.Helper()
	has := unread{st.Unread, st.Mentions, st.Threads}
	if err != nil || has != want || st.Read != p.read {
		p.t.Errorf("%s is told of %+v unread after %d, and it is %+v after %d; %v", name, has, st.Read, want, p.read, err)
	}
}
