package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Violation is a broken rule.
type Violation struct{ Rule, What string }

func (v Violation) String() string { return v.Rule + ": " + v.What }

// Check checks a history against the rules of docs/consistency.md. It does not have to search for
// an order that explains the history: the log gives it.
func Check(h *History) []Violation {
	c := &checker{History: h, ops: make(map[string][]*Op), messages: make(map[message]*messageLog),
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
		c.checkLog(room, log)
		c.checkMembership(room, log)
	}
	c.checkWrites()
	for at, seen := range h.Seen {
		c.checkObservations(at, seen)
	}
	for _, at := range h.Resets {
		c.fail("nothing is skipped", "%s was told that events of %s are no longer kept", at.Who, at.Room)
	}
	c.checkComplete()
	for room := range c.ops {
		c.checkReads(room)
	}
	c.checkMarks()
	c.checkRefusals()
	slices.SortFunc(c.found, func(a, b Violation) int { return strings.Compare(a.String(), b.String()) })
	return c.found
}

type message struct{ room, key string }

// A messageLog has the events of one message.
type messageLog struct {
	created Entry
	later   []Entry // edits and the deletion, in order
}

type checker struct {
	*History
	ops      map[string][]*Op
	messages map[message]*messageLog
	attempts map[message][]*Op
	found    []Violation
}

const maxViolations = 10 // of a rule; more are not reported

func (c *checker) fail(rule, format string, args ...any) {
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

// checkLog checks that numbers have no gaps, that each key is there once, and that writers are members
// at that time.
func (c *checker) checkLog(room string, log []Entry) {
	in := make(map[string]bool)
	for i, e := range log {
		if e.Seq != int64(i+1) {
			c.fail("no gaps", "event %d of %s has number %d", i+1, room, e.Seq)
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
				c.fail("once", "%s is in %s as %d and as %d", e.Key, room, first.created.Seq, e.Seq)
				continue
			}
			c.messages[m] = &messageLog{created: e}
		case "message.edited", "message.deleted":
			s := c.messages[message{room, e.Key}]
			if s == nil || s.created.Seq != e.Message {
				c.fail("no gaps", "%d of %s changes %d, which no event before it created", e.Seq, room, e.Message)
				continue
			}
			s.later = append(s.later, e)
		}
		if strings.HasPrefix(e.Type, "message.") && !in[e.Actor] {
			c.fail("members write", "%d of %s is by %s, who was not a member", e.Seq, room, e.Actor)
		}
	}
}

// checkMembership checks that acknowledged changes of membership are in the log, and no others than
// were requested.
func (c *checker) checkMembership(room string, log []Entry) {
	type change struct{ typ, subject string }
	logged, acked, possible := make(map[change]int), make(map[change]int), make(map[change]int)
	for _, e := range log {
		if strings.HasPrefix(e.Type, "member.") {
			logged[change{e.Type, e.Subject}]++
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
			acked[change{typ, subject}]++
		}
		if op.Outcome != Refused {
			possible[change{typ, subject}]++
		}
	}
	for f, n := range logged {
		if n > possible[f] {
			c.fail("once", "%s of %s is %d times in %s, and was asked for %d times", f.typ, f.subject, n, room, possible[f])
		}
	}
	for f, n := range acked {
		if n > logged[f] {
			c.fail("acknowledged is kept", "%s of %s was acknowledged %d times in %s, and is there %d times",
				f.typ, f.subject, n, room, logged[f])
		}
	}
}

// checkWrites checks that every acknowledged message, edit and deletion is in the log under its
// number, that each event was requested, and that the text is that of the last edit.
func (c *checker) checkWrites() {
	for m, ops := range c.attempts {
		s := c.messages[m]
		if s == nil {
			for _, op := range ops {
				if op.Outcome == Acked {
					c.fail("acknowledged is kept", "%s of %s in %s was acknowledged as %d, and the message is not there", op.Kind,
						m.key, m.room, op.Seq)
				}
			}
			continue
		}
		c.checkMessage(m, s, ops)
	}
	for m, s := range c.messages {
		if len(c.attempts[m]) == 0 {
			c.fail("nothing is made up", "%s in %s is by nobody", m.key, m.room)
		}
		for _, e := range append(s.later, s.created) {
			if e.Version != s.created.Version {
				c.fail("one text", "%s in %s is version %d by event %d and %d by event %d", m.key, m.room, s.created.Version,
					s.created.Seq, e.Version, e.Seq)
			}
		}
	}
}

func (c *checker) checkMessage(m message, s *messageLog, ops []*Op) {
	explained := make(map[int64]*Op)
	open := map[Kind][]*Op{}
	for _, op := range ops {
		switch op.Outcome {
		case Acked:
			if other := explained[op.Seq]; other != nil {
				c.fail("once", "event %d of %s was acknowledged to two requests", op.Seq, m.room)
			}
			explained[op.Seq] = op
		case Unknown:
			open[op.Kind] = append(open[op.Kind], op)
		case Refused:
			if op.Retried {
				open[op.Kind] = append(open[op.Kind], op) // an earlier one with the same key may have been carried out
			}
		}
	}
	there := make(map[int64]bool)
	for _, e := range append([]Entry{s.created}, s.later...) {
		there[e.Seq] = true
		kind := map[string]Kind{"message.created": Send, "message.edited": Edit, "message.deleted": Delete}[e.Type]
		if op := explained[e.Seq]; op != nil {
			if op.Kind != kind || op.Who != e.Actor {
				c.fail("acknowledged is kept", "%s by %s was acknowledged as %d of %s, which is %s by %s",
					op.Kind, op.Who, e.Seq, m.room, e.Type, e.Actor)
			}
			continue
		}
		if len(open[kind]) == 0 {
			c.fail("nothing is made up", "%s of %s by event %d of %s was asked for by nobody who does not know its number",
				e.Type, m.key, e.Seq, m.room)
			continue
		}
		if kind != Edit {
			open[kind] = open[kind][1:]
		}
	}
	for seq, op := range explained {
		if !there[seq] {
			c.fail("acknowledged is kept", "%s of %s was acknowledged as %d of %s, and is not there",
				op.Kind, m.key, seq, m.room)
		}
	}
	c.checkText(m, s, explained, open[Edit])
}

// checkText checks that a deleted message has no text, and any other that of its last edit.
func (c *checker) checkText(m message, s *messageLog, explained map[int64]*Op, open []*Op) {
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
		c.fail("one text", "%s in %s ended as version %d, not %v", m.key, m.room, s.created.Version, want)
	}
}

// checkObservations checks that a reader received each event once, in order, without gaps and as all
// others did; with a text that somebody had written by then; and nothing from after their removal.
func (c *checker) checkObservations(at Reader, seen []Observation) {
	log, ok := c.Logs[at.Room]
	if !ok {
		return
	}
	gone := c.absences(at.Who, log)
	for i, s := range seen {
		if s.Seq != int64(i+1) {
			c.fail("each once, in order", "%s was shown %d of %s where %d comes next", at.Who, s.Seq, at.Room, i+1)
			return
		}
		if s.Seq > int64(len(log)) || log[s.Seq-1].Digest != s.Digest {
			c.fail("one order", "%s was shown a %d of %s that is not that of the log", at.Who, s.Seq, at.Room)
			return
		}
		c.checkVersion(at, log[s.Seq-1], s)
		for _, a := range gone {
			if s.Seq <= a.from || a.to != 0 && s.Seq >= a.to {
				continue
			}
			if n := c.admitted(at, s.At); a.to == 0 || n < a.joins {
				c.fail("members read", "%s was shown %d of %s at %s, after leaving by %d; they came back by %d (0: never), %d "+
					"times let in of %d that it takes",
					at.Who, s.Seq, at.Room, s.At, a.from, a.to, n, a.joins)
			}
		}
	}
}

// An absence is a time during which a user was no member, by the numbers of the room's log. to is 0
// if it does not end; joins is how often the user had joined when it ended. Users who came back may
// read what was written meanwhile, and may receive it late, after they have left again.
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

// mayBeMember reports whether a user may have been a member at some time between from and to: no
// removal was acknowledged before, or somebody may have added them again since.
func (c *checker) mayBeMember(at Reader, from, to time.Duration) bool {
	last := time.Duration(-1) // start of the last removal that ended before
	for _, op := range c.ops[at.Room] {
		if op.removes(at.Who) && op.Outcome == Acked && op.End <= from {
			last = max(last, op.Start)
		}
	}
	return last < 0 || slices.ContainsFunc(c.ops[at.Room], func(op *Op) bool {
		return op.admits(at.Who) && op.Outcome != Refused && op.Start <= to && op.End >= last
	})
}

// admitted returns how often a user was added or joined by a time, attempts included.
func (c *checker) admitted(at Reader, by time.Duration) (n int) {
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

// checkVersion checks that somebody had requested this version of the text by then.
func (c *checker) checkVersion(at Reader, e Entry, s Observation) {
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
	c.fail("one text", "%s was shown %s of %s as version %d, which nobody had written", at.Who, e.Key, at.Room, s.Version)
}

// checkComplete checks that every member has received the whole log in the end.
func (c *checker) checkComplete() {
	for room, members := range c.Members {
		for _, who := range members {
			if n, all := len(c.Seen[Reader{who, room}]), len(c.Logs[room]); n < all {
				c.fail("everything arrives", "%s was shown %d of %d events of %s", who, n, all, room)
			}
		}
	}
}

// checkReads checks that only members read, and that they read all that was acknowledged before.
func (c *checker) checkReads(room string) {
	log := c.Logs[room]
	type ack struct {
		end time.Duration
		seq int64
	}
	var acks []ack // by time, each with the highest number so far
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
		if !c.mayBeMember(Reader{op.Who, room}, op.Start, op.End) {
			c.fail("members read", "%s read %s from %s to %s, after leaving", op.Who, room, op.Start, op.End)
		}
		if i, _ := slices.BinarySearchFunc(acks, op.Start,
			func(a ack, t time.Duration) int { return int(a.end - t) }); i > 0 && op.Head < acks[i-1].seq {
			c.fail("reads are fresh", "%s read %s up to %d after %d had been acknowledged", op.Who, room, op.Head, acks[i-1].seq)
		}
		for i, s := range op.Events {
			if s.Seq != op.After+int64(i+1) || s.Seq > int64(len(log)) || log[s.Seq-1].Digest != s.Digest {
				c.fail("one order", "%s read a %d of %s that is not that of the log", op.Who, s.Seq, room)
				break
			}
			e := log[s.Seq-1]
			if end, ok := deleted[e.Message]; ok && e.Key != "" && end <= op.Start && s.Version != Deleted {
				c.fail("deleted is gone", "%s read the text of %s in %s after it had been deleted", op.Who, e.Key, room)
			}
			s.At = op.End
			c.checkVersion(Reader{op.Who, room}, e, s)
		}
	}
}

// checkMarks checks that a read mark never goes back from one request to a later one.
func (c *checker) checkMarks() {
	by := make(map[Reader][]*Op)
	for i := range c.Ops {
		if op := &c.Ops[i]; (op.Kind == Mark || op.Kind == GetMark) && op.Outcome == Acked {
			by[Reader{op.Who, op.Room}] = append(by[Reader{op.Who, op.Room}], op)
		}
	}
	for at, ops := range by {
		for _, b := range ops {
			for _, a := range ops {
				if a.End <= b.Start && a.Seq > b.Seq {
					c.fail("marks go forward", "%s had read %s up to %d, and then up to %d", at.Who, at.Room, a.Seq, b.Seq)
				}
			}
			if final, ok := c.Marks[at]; ok && final < b.Seq {
				c.fail("marks go forward", "%s had read %s up to %d, and at the end up to %d", at.Who, at.Room, b.Seq, final)
			}
		}
	}
}

// checkRefusals checks that those who are members all the time are refused nothing that members may do.
func (c *checker) checkRefusals() {
	for room, members := range c.Stable {
		for _, op := range c.ops[room] {
			if op.Outcome == Refused && op.Kind != Add && op.Kind != Kick && slices.Contains(members, op.Who) {
				c.fail("members are let in", "%s of %s in %s was refused: %s", op.Kind, op.Who, room, strings.Join(op.Errors, "; "))
			}
		}
	}
}
