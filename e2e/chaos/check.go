package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Violation is a promise that was broken.
type Violation struct{ Rule, What string }

func (v Violation) String() string { return v.Rule + ": " + v.What }

// Check holds a history against every rule of docs/consistency.md. It needs no
// search: the log says in which order things happened, so each rule is looked up
// in it.
func Check(h *History) []Violation {
	c := &checker{History: h, ops: make(map[string][]*Op), messages: make(map[message]*story),
		attempts: make(map[message][]*Op)}
	for i := range h.Ops {
		op := &h.Ops[i]
		c.ops[op.Room] = append(c.ops[op.Room], op)
		if op.Key != "" {
			m := message{op.Room, op.Key}
			c.attempts[m] = append(c.attempts[m], op)
		}
	}
	for room, log := range h.Logs {
		c.log(room, log)
		c.membership(room, log)
	}
	c.written()
	for at, seen := range h.Seen {
		c.shown(at, seen)
	}
	for _, at := range h.Resets {
		c.bad("nothing is skipped", "%s was told that events of %s are no longer kept", at.Who, at.Room)
	}
	c.complete()
	for room := range c.ops {
		c.fetches(room)
	}
	c.marks()
	c.refusals()
	slices.SortFunc(c.found, func(a, b Violation) int { return strings.Compare(a.String(), b.String()) })
	return c.found
}

type message struct{ room, key string }

// story is what the log says of one message.
type story struct {
	created Entry
	later   []Entry // edits and the deletion, in order
}

type checker struct {
	*History
	ops      map[string][]*Op
	messages map[message]*story
	attempts map[message][]*Op
	found    []Violation
}

const maxViolations = 10 // violations of a rule that are told

func (c *checker) bad(rule, format string, args ...any) {
	n := 0
	for _, v := range c.found {
		if v.Rule == rule {
			n++
		}
	}
	if n < maxViolations {
		c.found = append(c.found, Violation{rule, fmt.Sprintf(format, args...)})
	}
}

// log: numbers 1, 2, 3; each key once; who writes is a member at that moment.
func (c *checker) log(room string, log []Entry) {
	in := make(map[string]bool)
	for i, e := range log {
		if e.Seq != int64(i+1) {
			c.bad("no gaps", "event %d of %s has number %d", i+1, room, e.Seq)
			return
		}
		switch e.Type {
		case "room.created":
			in[e.Actor] = true
		case "member.joined":
			in[e.Subject] = true
		case "member.left", "member.kicked", "member.banned":
			in[e.Subject] = false
		case "message.created":
			m := message{room, e.Key}
			if first := c.messages[m]; first != nil {
				c.bad("once", "%s is in %s as %d and as %d", e.Key, room, first.created.Seq, e.Seq)
				continue
			}
			c.messages[m] = &story{created: e}
		case "message.edited", "message.deleted":
			s := c.messages[message{room, e.Key}]
			if s == nil || s.created.Seq != e.Message {
				c.bad("no gaps", "%d of %s changes %d, which no event before it created", e.Seq, room, e.Message)
				continue
			}
			s.later = append(s.later, e)
		}
		if strings.HasPrefix(e.Type, "message.") && !in[e.Actor] {
			c.bad("members write", "%d of %s is by %s, who was not a member", e.Seq, room, e.Actor)
		}
	}
}

// membership: what was acknowledged is in the log, and nothing is that nobody
// asked for.
func (c *checker) membership(room string, log []Entry) {
	type fact struct{ typ, subject string }
	is, sure, maybe := make(map[fact]int), make(map[fact]int), make(map[fact]int)
	for _, e := range log {
		if strings.HasPrefix(e.Type, "member.") {
			is[fact{e.Type, e.Subject}]++
		}
	}
	for _, op := range c.ops[room] {
		typ, subject := "", op.Who
		switch op.Kind {
		case Join:
			typ = "member.joined"
		case Leave:
			typ = "member.left"
		case Add:
			typ, subject = "member.joined", op.Subject
		case Kick:
			typ, subject = "member.kicked", op.Subject
		default:
			continue
		}
		if op.Outcome == Acked && op.Kind != Join { // joining again changes nothing
			sure[fact{typ, subject}]++
		}
		if op.Outcome != Refused {
			maybe[fact{typ, subject}]++
		}
	}
	for f, n := range is {
		if n > maybe[f] {
			c.bad("once", "%s of %s is %d times in %s, and was asked for %d times", f.typ, f.subject, n, room, maybe[f])
		}
	}
	for f, n := range sure {
		if n > is[f] {
			c.bad("acknowledged is kept", "%s of %s was acknowledged %d times in %s, and is there %d times", f.typ, f.subject, n,
				room, is[f])
		}
	}
}

// written: every acknowledged message, edit and deletion is in the log under its
// number, what is there was asked for, and the text is that of the last edit.
func (c *checker) written() {
	for m, ops := range c.attempts {
		s := c.messages[m]
		if s == nil {
			for _, op := range ops {
				if op.Outcome == Acked {
					c.bad("acknowledged is kept", "%s of %s in %s was acknowledged as %d, and the message is not there", op.Kind,
						m.key, m.room, op.Seq)
				}
			}
			continue
		}
		c.story(m, s, ops)
	}
	for m, s := range c.messages {
		if len(c.attempts[m]) == 0 {
			c.bad("nothing is made up", "%s in %s is by nobody", m.key, m.room)
		}
		for _, e := range append(s.later, s.created) {
			if e.Version != s.created.Version {
				c.bad("one text", "%s in %s is version %d by event %d and %d by event %d", m.key, m.room, s.created.Version,
					s.created.Seq, e.Version, e.Seq)
			}
		}
	}
}

func (c *checker) story(m message, s *story, ops []*Op) {
	explained := make(map[int64]*Op)
	open := map[Kind][]*Op{}
	for _, op := range ops {
		switch op.Outcome {
		case Acked:
			if other := explained[op.Seq]; other != nil {
				c.bad("once", "event %d of %s was acknowledged to two requests", op.Seq, m.room)
			}
			explained[op.Seq] = op
		case Unknown:
			open[op.Kind] = append(open[op.Kind], op)
		case Refused:
			if op.Again {
				open[op.Kind] = append(open[op.Kind], op) // of two with one key the first may have been carried out
			}
		}
	}
	there := make(map[int64]bool)
	for _, e := range append([]Entry{s.created}, s.later...) {
		there[e.Seq] = true
		kind := map[string]Kind{"message.created": Send, "message.edited": Edit, "message.deleted": Delete}[e.Type]
		if op := explained[e.Seq]; op != nil {
			if op.Kind != kind || op.Who != e.Actor {
				c.bad("acknowledged is kept", "%s by %s was acknowledged as %d of %s, which is %s by %s", op.Kind, op.Who, e.Seq,
					m.room, e.Type, e.Actor)
			}
			continue
		}
		if len(open[kind]) == 0 {
			c.bad("nothing is made up", "%s of %s by event %d of %s was asked for by nobody who does not know its number",
				e.Type, m.key, e.Seq, m.room)
			continue
		}
		if kind != Edit {
			open[kind] = open[kind][1:]
		}
	}
	for seq, op := range explained {
		if !there[seq] {
			c.bad("acknowledged is kept", "%s of %s was acknowledged as %d of %s, and is not there", op.Kind, m.key, seq, m.room)
		}
	}
	c.text(m, s, explained, open[Edit])
}

// text: a deleted message has none; otherwise it is that of the last edit.
func (c *checker) text(m message, s *story, explained map[int64]*Op, open []*Op) {
	want := []int{0}
	for _, e := range s.later {
		if e.Type == "message.deleted" {
			want = []int{Deleted}
			break
		}
		if op := explained[e.Seq]; op != nil {
			want = []int{op.Version}
			continue
		}
		want = nil
		for _, op := range open {
			want = append(want, op.Version)
		}
	}
	if !slices.Contains(want, s.created.Version) {
		c.bad("one text", "%s in %s ended as version %d, not %v", m.key, m.room, s.created.Version, want)
	}
}

// shown: each event once, in order, without gaps, and the same for all; a text
// that somebody had written by then; nothing of the time after one's removal.
func (c *checker) shown(at Stretch, seen []Sight) {
	log, ok := c.Logs[at.Room]
	if !ok {
		return
	}
	gone := c.absences(at.Who, log)
	for i, s := range seen {
		if s.Seq != int64(i+1) {
			c.bad("each once, in order", "%s was shown %d of %s where %d comes next", at.Who, s.Seq, at.Room, i+1)
			return
		}
		if s.Seq > int64(len(log)) || log[s.Seq-1].Same != s.Same {
			c.bad("one order", "%s was shown a %d of %s that is not that of the log", at.Who, s.Seq, at.Room)
			return
		}
		c.plausible(at, log[s.Seq-1], s)
		for _, a := range gone {
			if s.Seq <= a.from || a.to != 0 && s.Seq >= a.to {
				continue
			}
			if n := c.admitted(at, s.At); a.to == 0 || n < a.joins {
				c.bad("members read", "%s was shown %d of %s at %s, after leaving by %d; they came back by %d (0: never), %d "+
					"times let in of %d that it takes",
					at.Who, s.Seq, at.Room, s.At, a.from, a.to, n, a.joins)
			}
		}
	}
}

// absence is a time out of a room, by the numbers of its log. To is 0 if it
// does not end; joins are how often they had come in when it did. Who came back
// may read what was written meanwhile, and be shown it late, when they have left
// once more.
type absence struct {
	from, to int64
	joins    int
}

func (c *checker) absences(who string, log []Entry) []absence {
	var all []absence
	joins := 0
	for _, e := range log {
		if e.Subject != who {
			continue
		}
		switch e.Type {
		case "member.left", "member.kicked", "member.banned":
			all = append(all, absence{from: e.Seq})
		case "member.joined":
			joins++
			if n := len(all); n > 0 && all[n-1].to == 0 {
				all[n-1].to, all[n-1].joins = e.Seq, joins
			}
		}
	}
	return all
}

// may reports whether there is a moment from one time to another at which someone
// may have been a member: no removal was acknowledged before, or somebody let
// them in again meanwhile.
func (c *checker) may(at Stretch, from, to time.Duration) bool {
	last := time.Duration(-1) // begin of the last removal that was over
	for _, op := range c.ops[at.Room] {
		if op.removes(at.Who) && op.Outcome == Acked && op.End <= from {
			last = max(last, op.Start)
		}
	}
	return last < 0 || slices.ContainsFunc(c.ops[at.Room], func(op *Op) bool {
		return op.admits(at.Who) && op.Outcome != Refused && op.Start <= to && op.End >= last
	})
}

// admitted returns how often somebody had let someone in, or tried to, by a time.
func (c *checker) admitted(at Stretch, by time.Duration) (n int) {
	for _, op := range c.ops[at.Room] {
		if op.admits(at.Who) && op.Outcome != Refused && op.Start <= by {
			n++
		}
	}
	return n
}

func (op *Op) removes(who string) bool {
	return op.Kind == Kick && op.Subject == who || op.Kind == Leave && op.Who == who
}

func (op *Op) admits(who string) bool {
	return op.Kind == Add && op.Subject == who || op.Kind == Join && op.Who == who
}

// plausible: somebody had asked for this version of the text by then.
func (c *checker) plausible(at Stretch, e Entry, s Sight) {
	if e.Key == "" {
		return
	}
	for _, op := range c.attempts[message{at.Room, e.Key}] {
		if op.Start > s.At {
			continue
		}
		if s.Version == Deleted && op.Kind == Delete || s.Version >= 0 && op.Kind != Delete && op.Version == s.Version {
			return
		}
	}
	c.bad("one text", "%s was shown %s of %s as version %d, which nobody had written", at.Who, e.Key, at.Room, s.Version)
}

// complete: when all faults are over, every member has been shown the whole log.
func (c *checker) complete() {
	for room, members := range c.Members {
		for _, who := range members {
			if n, all := len(c.Seen[Stretch{who, room}]), len(c.Logs[room]); n < all {
				c.bad("everything arrives", "%s was shown %d of %d events of %s", who, n, all, room)
			}
		}
	}
}

// fetches: who reads is a member, and reads all that was acknowledged before.
func (c *checker) fetches(room string) {
	log := c.Logs[room]
	type ack struct {
		end time.Duration
		seq int64
	}
	var acks []ack // by time, with the highest number so far
	deleted := make(map[int64]time.Duration)
	for _, op := range c.ops[room] {
		if op.Outcome == Acked && (op.Kind == Send || op.Kind == Edit || op.Kind == Delete) {
			acks = append(acks, ack{op.End, op.Seq})
		}
		if s := c.messages[message{room, op.Key}]; op.Outcome == Acked && op.Kind == Delete && s != nil {
			deleted[s.created.Seq] = op.End
		}
	}
	slices.SortFunc(acks, func(a, b ack) int { return int(a.end - b.end) })
	for i := 1; i < len(acks); i++ {
		acks[i].seq = max(acks[i].seq, acks[i-1].seq)
	}
	for _, op := range c.ops[room] {
		if op.Kind != Fetch || op.Outcome != Acked {
			continue
		}
		if !c.may(Stretch{op.Who, room}, op.Start, op.End) {
			c.bad("members read", "%s read %s from %s to %s, after leaving", op.Who, room, op.Start, op.End)
		}
		if i, _ := slices.BinarySearchFunc(acks, op.Start,
			func(a ack, t time.Duration) int { return int(a.end - t) }); i > 0 && op.Head < acks[i-1].seq {
			c.bad("reads are fresh", "%s read %s up to %d after %d had been acknowledged", op.Who, room, op.Head, acks[i-1].seq)
		}
		for i, s := range op.Events {
			if s.Seq != op.After+int64(i+1) || s.Seq > int64(len(log)) || log[s.Seq-1].Same != s.Same {
				c.bad("one order", "%s read a %d of %s that is not that of the log", op.Who, s.Seq, room)
				break
			}
			e := log[s.Seq-1]
			if end, ok := deleted[e.Message]; ok && e.Key != "" && end <= op.Start && s.Version != Deleted {
				c.bad("deleted is gone", "%s read the text of %s in %s after it had been deleted", op.Who, e.Key, room)
			}
			s.At = op.End
			c.plausible(Stretch{op.Who, room}, e, s)
		}
	}
}

// marks: a mark that one request was told of is never lower for a later one.
func (c *checker) marks() {
	by := make(map[Stretch][]*Op)
	for i := range c.Ops {
		if op := &c.Ops[i]; (op.Kind == Mark || op.Kind == Look) && op.Outcome == Acked {
			by[Stretch{op.Who, op.Room}] = append(by[Stretch{op.Who, op.Room}], op)
		}
	}
	for at, ops := range by {
		for _, b := range ops {
			for _, a := range ops {
				if a.End <= b.Start && a.Seq > b.Seq {
					c.bad("marks go forward", "%s had read %s up to %d, and then up to %d", at.Who, at.Room, a.Seq, b.Seq)
				}
			}
			if final, ok := c.Marks[at]; ok && final < b.Seq {
				c.bad("marks go forward", "%s had read %s up to %d, and at the end up to %d", at.Who, at.Room, b.Seq, final)
			}
		}
	}
}

// refusals: who is a member all the time is refused nothing that is theirs alone.
func (c *checker) refusals() {
	for room, members := range c.Stable {
		for _, op := range c.ops[room] {
			if op.Outcome == Refused && op.Kind != Add && op.Kind != Kick && slices.Contains(members, op.Who) {
				c.bad("members are let in", "%s of %s in %s was refused: %s", op.Kind, op.Who, room, strings.Join(op.Errors, "; "))
			}
		}
	}
}
