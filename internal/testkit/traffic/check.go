package traffic

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/unhidra/unhidra/client"
)

// reader is what one connection was shown of a room.
type reader struct {
	room string

	mu   sync.Mutex
	seen []client.Event
}

func (r *reader) add(e client.Event) {
	if e.Room != r.room {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, e)
}

func (r *reader) last() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) == 0 {
		return 0
	}
	return r.seen[len(r.seen)-1].Seq
}

// Log reads a room's log to its end, and fails if its numbers have a gap or a message is there
// twice. It returns the numbers of messages by their keys as well.
func Log(
	ctx context.Context, t testing.TB, c *client.Client, room string,
) (log []client.Event, stored map[string]int64) {
	t.Helper()
	for more := true; more; {
		r, err := c.Events(ctx, room, int64(len(log)), 500)
		if err != nil {
			t.Fatal(err)
		}
		log, more = append(log, r.Events...), r.More
	}
	stored, err := byKey(log)
	if err != nil {
		t.Error(err)
	}
	return log, stored
}

// byKey returns the numbers of a log's messages, and says where it is no log.
func byKey(log []client.Event) (stored map[string]int64, err error) {
	stored = make(map[string]int64)
	for i, e := range log {
		if e.Seq != int64(i+1) {
			return stored, fmt.Errorf("event %d of the log has number %d", i+1, e.Seq)
		}
		if e.Message == nil {
			continue
		}
		if first, ok := stored[e.Message.Key]; ok {
			err = errors.Join(err, fmt.Errorf("%s is there twice: %d and %d", e.Message.Key, first, e.Seq))
		}
		stored[e.Message.Key] = e.Seq
	}
	return stored, err
}

// Kept says which acknowledged messages are not stored, or under another number.
func Kept(acked, stored map[string]int64) (err error) {
	for key, seq := range acked {
		if stored[key] != seq {
			err = errors.Join(err, fmt.Errorf("%s was acknowledged as %d and is %d", key, seq, stored[key]))
		}
	}
	return err
}

// Check compares what was acknowledged with what c reads of the room's log, and that with what
// each reader was shown. Stop comes first.
func (f *Traffic) Check(c *client.Client) {
	f.t.Helper()
	log, stored := Log(f.ctx, f.t, c, f.room)
	acked := f.Acked()
	if err := Kept(acked, stored); err != nil {
		f.t.Error(err)
	}
	head := int64(len(log))
	for i, r := range f.readers {
		Wait(f.ctx, f.t, fmt.Sprintf("reader %d has all %d events", i, head), func() bool { return r.last() >= head })
		if err := r.compare(log); err != nil {
			f.t.Errorf("reader %d %v", i, err)
		}
	}
	f.t.Logf("%d messages acknowledged, %d events, %d readers agree", len(acked), len(log), len(f.readers))
}

// compare says where a reader was shown something else than the log has.
func (r *reader) compare(log []client.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range min(len(r.seen), len(log)) {
		if e := r.seen[i]; e.Seq != log[i].Seq || keyOf(e) != keyOf(log[i]) {
			return fmt.Errorf("was shown %d in place %d", e.Seq, i+1)
		}
	}
	if len(r.seen) != len(log) {
		return fmt.Errorf("was shown %d events of %d", len(r.seen), len(log))
	}
	return nil
}

// keyOf returns the key of an event's message; empty: it has none.
func keyOf(e client.Event) string {
	if e.Message == nil {
		return ""
	}
	return e.Message.Key
}
