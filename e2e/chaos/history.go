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

// A Kind is a kind of request.
type Kind string

const (
	Send    Kind = "send"
	Edit    Kind = "edit"
	Delete  Kind = "delete"
	Mark    Kind = "mark"
	GetMark Kind = "get mark" // of the user who asks
	Fetch   Kind = "fetch"    // a page of the log
	Join    Kind = "join"
	Leave   Kind = "leave"
	Add     Kind = "add"
	Kick    Kind = "kick"
)

// An Outcome is what the client knows about the result of a request.
type Outcome int

const (
	Unknown Outcome = iota // no answer, or an error after which it may have been carried out
	Acked
	Refused
)

// An Op is one request. Times are since the start of the run, on one clock.
type Op struct {
	Kind       Kind
	Who        string // user id
	Room       string
	Start, End time.Duration // before it was sent, after the answer
	Outcome    Outcome
	Retried    bool // it may have been sent more than once, with the same key

	Key     string // send, edit, delete: of the message
	Version int    // send: 0; edit: of the text
	Seq     int64  // acked: of the event; mark, get mark: the number of the mark
	Subject string // add, kick: id of the other user

	After  int64         // fetch
	Events []Observation // fetch
	Head   int64         // fetch
	Errors []string      // texts of the errors
}

// Deleted is the version of a deleted text.
const Deleted = -1

const corrupt = -2 // a text that nobody wrote

// An Observation is one event as a client received it.
type Observation struct {
	Seq     int64
	At      time.Duration
	Digest  uint64 // of the fields that are the same for all readers and never change
	Version int    // of the message's text at that time
}

// An Entry is one event of the final log.
type Entry struct {
	Observation
	Type    string
	Actor   string
	Subject string
	Message int64  // number of the message
	Key     string // key of the message
}

// A Reader is a user as a reader of one room.
type Reader struct{ Who, Room string }

// A History is all that was recorded of a run.
type History struct {
	begin time.Time

	mu     sync.Mutex
	Ops    []Op
	Seen   map[Reader][]Observation
	Resets []Reader // readers who were told that events have been purged

	// The state at the end, after all faults.
	Logs    map[string][]Entry
	Stable  map[string][]string // room: members who never left; all of their requests are allowed
	Members map[string][]string // room: members at the end, the stable ones included
	Marks   map[Reader]int64
}

// NewHistory begins a history now.
func NewHistory() *History {
	return &History{
		begin: time.Now(), Seen: make(map[Reader][]Observation), Logs: make(map[string][]Entry),
		Stable: make(map[string][]string), Members: make(map[string][]string), Marks: make(map[Reader]int64),
	}
}

// Now returns the time since the start.
func (h *History) Now() time.Duration { return time.Since(h.begin) }

// Add adds a request.
func (h *History) Add(op Op) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Ops = append(h.Ops, op)
}

// Observed adds an event that a client received.
func (h *History) Observed(who string, e client.Event) {
	s := observe(e)
	s.At = h.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	at := Reader{who, e.Room}
	h.Seen[at] = append(h.Seen[at], s)
}

// Reset adds that a reader was told to load a room again.
func (h *History) Reset(who, room string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Resets = append(h.Resets, Reader{who, room})
}

func observe(e client.Event) Observation {
	s := Observation{Seq: e.Seq}
	f := fnv.New64a()
	fmt.Fprintf(f, "%s %d %s %s", e.Room, e.Seq, e.Type, e.Actor.ID)
	if e.Subject != nil {
		fmt.Fprintf(f, " of %s", e.Subject.ID)
	}
	if m := e.Message; m != nil {
		fmt.Fprintf(f, " says %d %s %s", m.Seq, m.Key, m.Sender.ID)
		s.Version = version(m)
	}
	s.Digest = f.Sum64()
	return s
}

func entry(e client.Event) Entry {
	n := Entry{Observation: observe(e), Type: e.Type, Actor: e.Actor.ID}
	if e.Subject != nil {
		n.Subject = e.Subject.ID
	}
	if e.Message != nil {
		n.Message, n.Key = e.Message.Seq, e.Message.Key
	}
	return n
}

// text returns the text of a message, from which its key and version can be read.
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
		return corrupt
	}
	return v
}
