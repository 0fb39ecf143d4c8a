package chaos

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unhidra/unhidra/client"
)

// A Kind is what somebody asked for.
type Kind string

const (
	Send   Kind = "send"
	Edit   Kind = "edit"
	Delete Kind = "delete"
	Mark   Kind = "mark"
	Look   Kind = "look"  // where the own read mark stands
	Fetch  Kind = "fetch" // a stretch of the log
	Join   Kind = "join"
	Leave  Kind = "leave"
	Add    Kind = "add"
	Kick   Kind = "kick"
)

// An Outcome is what the asker knows of it.
type Outcome int

const (
	Unknown Outcome = iota // no answer, or one that leaves it open
	Acked
	Refused
)

// An Op is one thing that somebody asked for. Times are since the begin of the
// run, on one clock.
type Op struct {
	Kind       Kind
	Who        string // user id
	Room       string
	Start, End time.Duration // before it was asked, after it was answered
	Outcome    Outcome
	Again      bool // may have been asked more than once, with one key

	Key     string // send, edit, delete: of the message
	Version int    // send: 0; edit: of the text
	Seq     int64  // acked: of the event; mark, look: where it stands
	Subject string // add, kick: whom

	After  int64    // fetch
	Events []Sight  // fetch
	Head   int64    // fetch
	Errors []string // what the answers said
}

// Deleted is the version of a text that is gone.
const Deleted = -1

const garbled = -2 // a text that nobody wrote

// A Sight is one event as somebody was shown it.
type Sight struct {
	Seq     int64
	At      time.Duration
	Same    uint64 // of what must be the same for all and for ever
	Version int    // of the message's text at that moment
}

// An Entry is one event of the final log.
type Entry struct {
	Sight
	Type    string
	Actor   string
	Subject string
	Message int64  // its number
	Key     string // and its key
}

// A Stretch is what one reader was shown of one room.
type Stretch struct{ Who, Room string }

// A History is all that is known of a run.
type History struct {
	begin time.Time

	mu     sync.Mutex
	Ops    []Op
	Seen   map[Stretch][]Sight
	Resets []Stretch // readers who were told that events are no longer kept

	// Of the end, when all faults are over.
	Logs    map[string][]Entry
	Stable  map[string][]string // room: members who never left; they are asked nothing that is refused
	Members map[string][]string // room: members at the end, the stable ones included
	Marks   map[Stretch]int64
}

// NewHistory begins a history now.
func NewHistory() *History {
	return &History{
		begin: time.Now(), Seen: make(map[Stretch][]Sight), Logs: make(map[string][]Entry),
		Stable: make(map[string][]string), Members: make(map[string][]string), Marks: make(map[Stretch]int64),
	}
}

// Now is the time since the begin.
func (h *History) Now() time.Duration { return time.Since(h.begin) }

// Add adds what was asked.
func (h *History) Add(op Op) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Ops = append(h.Ops, op)
}

// Saw adds what a reader was shown.
func (h *History) Saw(who string, e client.Event) {
	s := sight(e)
	s.At = h.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	at := Stretch{who, e.Room}
	h.Seen[at] = append(h.Seen[at], s)
}

// Reset adds that a reader was told to begin anew.
func (h *History) Reset(who, room string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Resets = append(h.Resets, Stretch{who, room})
}

func sight(e client.Event) Sight {
	s := Sight{Seq: e.Seq}
	f := fnv.New64a()
	fmt.Fprintf(f, "%s %d %s %s", e.Room, e.Seq, e.Type, e.Actor.ID)
	if e.Subject != nil {
		fmt.Fprintf(f, " of %s", e.Subject.ID)
	}
	if m := e.Message; m != nil {
		fmt.Fprintf(f, " says %d %s %s", m.Seq, m.Key, m.Sender.ID)
		s.Version = version(m)
	}
	s.Same = f.Sum64()
	return s
}

func entry(e client.Event) Entry {
	n := Entry{Sight: sight(e), Type: e.Type, Actor: e.Actor.ID}
	if e.Subject != nil {
		n.Subject = e.Subject.ID
	}
	if e.Message != nil {
		n.Message, n.Key = e.Message.Seq, e.Message.Key
	}
	return n
}

// text is what a message says: whose it is and which version.
func text(key string, version int) string {
	return fmt.Sprintf("%s %d the quick brown fox jumps over the lazy dog", key, version)
}

func version(m *client.Message) int {
	if m.DeletedAt != nil && m.Text == "" {
		return Deleted
	}
	word, rest, _ := strings.Cut(m.Text, " ")
	number, _, _ := strings.Cut(rest, " ")
	v, err := strconv.Atoi(number)
	if err != nil || word != m.Key || m.Text != text(m.Key, v) || m.DeletedAt != nil {
		return garbled
	}
	return v
}
