package chaos

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// good returns a history without violations. In room r, ada is the owner and adds bob and eve; eve is
// kicked and added again. At the end all three are members.
func good() *History {
	h := NewHistory()
	b := &builder{h: h}
	b.event("room.created", "ada", "", 0, "", 0)
	b.admit("bob")
	b.admit("eve")
	one := b.send("ada", "k1")
	two := b.send("bob", "k2")
	b.edit("ada", "k1", one, 1)
	b.kick("eve")
	b.send("bob", "k3")
	b.admit("eve")
	b.remove("bob", "k2", two)
	b.send("eve", "k4")
	b.op(Op{Kind: Mark, Who: "bob", Seq: 5})
	b.op(Op{Kind: GetMark, Who: "bob", Seq: 5})
	log := b.final()
	for _, who := range []string{"ada", "bob", "eve"} {
		for _, e := range log {
			s := e.Observation
			s.At = b.now
			h.Seen[Reader{who, "r"}] = append(h.Seen[Reader{who, "r"}], s)
		}
		h.Members["r"] = append(h.Members["r"], who)
	}
	b.op(Op{Kind: Fetch, Who: "eve", Head: int64(len(log)), Events: slices.Clone(h.Seen[Reader{"eve", "r"}])})
	h.Stable["r"] = []string{"ada", "bob"}
	h.Marks[Reader{"bob", "r"}] = 5
	return h
}

type builder struct {
	h   *History
	now time.Duration
	log []Entry
}

func (b *builder) event(typ, actor, subject string, msg int64, key string, version int) int64 {
	e := Entry{Type: typ, Actor: actor, Subject: subject, Message: msg, Key: key}
	e.Seq, e.Digest, e.Version = int64(len(b.log)+1), uint64(1000+len(b.log)), version
	if typ == "message.created" {
		e.Message = e.Seq
	}
	b.log = append(b.log, e)
	return e.Seq
}

func (b *builder) op(o Op) {
	o.Room, o.Outcome = "r", Acked
	o.Start, o.End = b.now+time.Second, b.now+2*time.Second
	b.now += 3 * time.Second
	b.h.Add(o)
}

func (b *builder) admit(who string) {
	b.event("member.joined", "ada", who, 0, "", 0)
	b.op(Op{Kind: Add, Who: "ada", Subject: who})
}

func (b *builder) kick(who string) {
	b.event("member.kicked", "ada", who, 0, "", 0)
	b.op(Op{Kind: Kick, Who: "ada", Subject: who})
}

func (b *builder) send(who, key string) int64 {
	seq := b.event("message.created", who, "", 0, key, 0)
	b.op(Op{Kind: Send, Who: who, Key: key, Seq: seq, Retried: true})
	return seq
}

func (b *builder) edit(who, key string, msg int64, version int) {
	b.op(Op{Kind: Edit, Who: who, Key: key, Version: version, Seq: b.event("message.edited", who, "", msg, key, version)})
}

func (b *builder) remove(who, key string, msg int64) {
	b.op(Op{Kind: Delete, Who: who, Key: key, Seq: b.event("message.deleted", who, "", msg, key, Deleted)})
}

// final sets the version of every event of a message to the last one, as a replay has it.
func (b *builder) final() []Entry {
	last := make(map[string]int)
	for _, e := range b.log {
		last[e.Key] = e.Version
	}
	for i := range b.log {
		b.log[i].Version = last[b.log[i].Key]
	}
	b.h.Logs["r"] = b.log
	return b.log
}

func TestGoodHistory(t *testing.T) {
	for _, v := range Check(good()) {
		t.Error(v)
	}
}

// find returns the request of a kind with a key or a subject.
func (h *History) find(k Kind, about string) *Op {
	for i := range h.Ops {
		if o := &h.Ops[i]; o.Kind == k && (o.Key == about || o.Subject == about) {
			return o
		}
	}
	panic("no such op")
}

func TestUncertaintyIsAllowed(t *testing.T) {
	cases := map[string]func(h *History){
		"a send without an answer that was carried out":    func(h *History) { h.find(Send, "k3").Outcome = Unknown },
		"an edit without an answer that was carried out":   func(h *History) { h.find(Edit, "k1").Outcome = Unknown },
		"a removal without an answer that was carried out": func(h *History) { h.find(Kick, "eve").Outcome = Unknown },
		"a send without an answer that was not carried out": func(
			h *History) {
			h.Add(Op{Kind: Send, Room: "r", Who: "bob", Key: "k9"})
		},
		"a send that was refused when it was sent again": func(h *History) { h.find(Send, "k4").Outcome = Refused },
		"an edit in flight when it was shown": func(h *History) {
			h.find(Edit, "k1").End = h.Seen[Reader{"bob", "r"}][3].At + time.Hour
		},
		"late news of a first absence after a second removal": func(h *History) {
			last := Entry{Observation: Observation{Seq: 12, At: time.Hour, Digest: 1011},
				Type: "member.kicked", Actor: "ada", Subject: "eve"}
			h.Logs["r"], h.Members["r"] = append(h.Logs["r"], last), []string{"ada", "bob"}
			h.Add(Op{Kind: Kick, Who: "ada", Subject: "eve", Room: "r", Outcome: Acked, Start: time.Hour - 2,
				End: time.Hour - 1})
			for at, seen := range h.Seen {
				h.Seen[at] = append(seen, last.Observation)
			}
			for i := range h.Seen[Reader{"eve", "r"}] {
				h.Seen[Reader{"eve", "r"}][i].At = time.Hour
			}
		},
		"an older text in a live frame": func(h *History) { h.Seen[Reader{"bob", "r"}][3].Version = 0 },
	}
	for name, change := range cases {
		h := good()
		change(h)
		for _, v := range Check(h) {
			t.Errorf("%s: %s", name, v)
		}
	}
}

// The checker finds a violation of each rule. Otherwise it might check nothing.
func TestViolationsAreFound(t *testing.T) {
	bob, eve := Reader{"bob", "r"}, Reader{"eve", "r"}
	cases := []struct {
		name, rule string
		change     func(h *History)
	}{
		{"a number is missing", "no gaps", func(h *History) { h.Logs["r"] = slices.Delete(h.Logs["r"], 4, 5) }},
		{"an edit of nothing", "no gaps", func(h *History) { h.Logs["r"][5].Key = "k7" }},
		{"a message twice", "once", func(h *History) { h.Logs["r"][7].Key = "k1" }},
		{"two answers with one number", "once", func(h *History) {
			o := *h.find(Send, "k3")
			h.Add(o)
		}},
		{"someone comes in twice", "once", func(h *History) { h.find(Add, "bob").Outcome = Refused }},
		{"an acknowledged message is lost", "acknowledged is kept", func(h *History) {
			h.Add(Op{Kind: Send, Room: "r", Who: "bob", Key: "k9", Seq: 12, Outcome: Acked})
		}},
		{"an acknowledged edit is lost", "acknowledged is kept", func(h *History) {
			h.Add(Op{Kind: Edit, Room: "r", Who: "bob", Key: "k3", Version: 2, Seq: 12, Outcome: Acked})
		}},
		{"a message has another number", "acknowledged is kept", func(h *History) { h.find(Send, "k3").Seq = 12 }},
		{"a message has another sender", "acknowledged is kept", func(h *History) { h.find(Send, "k3").Who = "ada" }},
		{"an acknowledged removal is lost", "acknowledged is kept", func(h *History) {
			h.Add(Op{Kind: Kick, Room: "r", Who: "ada", Subject: "eve", Outcome: Acked})
		}},
		{"a message that nobody sent", "nothing is made up", func(h *History) { h.find(Send, "k3").Key = "k9" }},
		{"a refused edit is carried out", "nothing is made up", func(h *History) { h.find(Edit, "k1").Outcome = Refused }},
		{"a refused deletion is carried out", "nothing is made up",
			func(h *History) { h.find(Delete, "k2").Outcome = Refused }},
		{"the text is not the last one", "one text", func(h *History) {
			h.Logs["r"][3].Version, h.Logs["r"][5].Version = 0, 0
		}},
		{"a deleted text is there", "one text", func(h *History) { h.Logs["r"][4].Version, h.Logs["r"][9].Version = 0, 0 }},
		{"two events differ about a text", "one text", func(h *History) { h.Logs["r"][3].Version = 0 }},
		{"a text from the future is shown", "one text", func(h *History) { h.Seen[bob][3].At = 1 }},
		{"a text that nobody wrote is shown", "one text", func(h *History) { h.Seen[bob][3].Version = corrupt }},
		{"an event is shown twice", "each once, in order",
			func(h *History) { h.Seen[bob] = slices.Insert(h.Seen[bob], 4, h.Seen[bob][3]) }},
		{"an event is not shown", "each once, in order", func(h *History) { h.Seen[bob] = slices.Delete(h.Seen[bob], 4, 5) }},
		{"two events are shown the wrong way round", "each once, in order", func(h *History) {
			s := h.Seen[bob]
			s[3], s[4] = s[4], s[3]
		}},
		{"the last event does not arrive", "everything arrives", func(h *History) { h.Seen[bob] = h.Seen[bob][:10] }},
		{"readers are shown different events", "one order", func(h *History) { h.Seen[bob][4].Digest++ }},
		{"an event is shown that the log has not", "one order", func(h *History) {
			h.Seen[bob] = append(h.Seen[bob], Observation{Seq: 12})
		}},
		{"a read differs from the log", "one order", func(h *History) { h.find(Fetch, "").Events[2].Digest++ }},
		{"shown before being let in again", "members read",
			func(h *History) { h.Seen[eve][7].At = h.find(Kick, "eve").End + 1 }},
		{"shown after the removal and before its answer", "members read",
			func(h *History) { h.Seen[eve][7].At = h.find(Kick, "eve").End - 1 }},
		{"read after a removal", "members read", func(h *History) {
			end := h.find(Kick, "eve").End
			h.Add(Op{Kind: Fetch, Room: "r", Who: "eve", Start: end, End: end + 1, Outcome: Acked, Head: 9})
		}},
		{"someone writes who is out", "members write", func(h *History) { h.Logs["r"][7].Actor = "eve" }},
		{"a read misses what was acknowledged", "reads are fresh", func(h *History) { h.find(Fetch, "").Head = 10 }},
		{"a deleted text is read", "deleted is gone", func(h *History) { h.find(Fetch, "").Events[4].Version = 0 }},
		{"a mark goes back", "marks go forward", func(h *History) { h.find(GetMark, "").Seq = 4 }},
		{"a mark is lost at the end", "marks go forward", func(h *History) { h.Marks[bob] = 4 }},
		{"a member is refused", "members are let in", func(h *History) {
			h.Add(Op{Kind: Send, Room: "r", Who: "bob", Key: "k9", Outcome: Refused, Retried: true})
		}},
		{"a reader is told to begin anew", "nothing is skipped", func(h *History) { h.Reset("bob", "r") }},
	}
	tested := make(map[string]bool)
	for _, c := range cases {
		tested[c.rule] = true
		h := good()
		c.change(h)
		found := Check(h)
		if !slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == c.rule }) {
			t.Errorf("%s: nothing is found of %q, but %v", c.name, c.rule, found)
		}
	}
	for _, rule := range strings.Split(
		"no gaps|once|acknowledged is kept|nothing is made up|one text|each once, in order|everything arrives|one "+
			"order|members read|members write|reads are fresh|deleted is gone|marks go forward|members are let in|nothing is "+
			"skipped", "|") {
		if !tested[rule] {
			t.Errorf("no history breaks %q", rule)
		}
	}
}
