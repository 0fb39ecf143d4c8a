package messages_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A purgeRace purges a room while users write, edit, delete, read and search in it.
type purgeRace struct {
	db   *all.Store
	room string
	// reader and username are a member who is mentioned in every message.
	reader, username string
	keep             int // lines
	near             int // of a writer's messages, about so many are kept: these are changed more often
	purged           atomic.Int64

	mu  sync.Mutex
	now map[int64]string // what each acknowledged message says; "" once deleted
}

// write appends messages as a user, and edits and deletes some of them.
func (r *purgeRace) write(ctx context.Context, t *testing.T, w, messages int, rng *rand.Rand) {
	var mine []int64
	for i := range messages {
		text := fmt.Sprintf("needle w%d i%d", w, i)
		e, _, err := r.db.Messages.AppendMessage(ctx, testkit.UserID(w),
			domain.Draft{Room: r.room, Key: fmt.Sprint("k", i), Text: text}, []string{r.username}, false, time.Now())
		if err != nil {
			t.Error(err)
			return
		}
		mine = append(mine, e.Seq)
		r.acknowledged(e.Seq, text)
		seq := mine[rng.IntN(len(mine))]
		if rng.IntN(2) == 0 {
			seq = mine[max(0, len(mine)-1-rng.IntN(r.near))] // near the floor
		}
		switch rng.IntN(5) {
		case 0:
			text = fmt.Sprintf("needle w%d edit%d", w, i)
			_, err = r.db.Messages.EditMessage(ctx, testkit.UserID(w), r.room, seq, text, nil, false, time.Now())
		case 1:
			text = ""
			_, err = r.db.Messages.DeleteMessage(ctx, testkit.UserID(w), r.room, seq, time.Now())
		default:
			continue
		}
		switch code := domain.CodeOf(err); {
		case err == nil:
			r.acknowledged(seq, text)
		case code != domain.CodeNoMessage && code != domain.CodeMessageDeleted:
			t.Error(err)
			return
		}
	}
}

func (r *purgeRace) acknowledged(seq int64, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now[seq] = text
}

// purge takes one step, and reports whether there is more to do.
func (r *purgeRace) purge(t *testing.T) (more bool) {
	// not the context of run, which would leave open what went
	p, err := r.db.Messages.Purge(t.Context(), r.room, setKeepLines(t, r.db, r.room, r.keep, 7))
	if err != nil {
		t.Error(err)
	}
	r.purged.Add(int64(p.Events))
	return p.More
}

// replay reads from the floor on, and checks that the events have no gaps, and begin at the floor
// unless it has risen meanwhile.
func (r *purgeRace) replay(t *testing.T) {
	after := floor(t, r.db, r.room)
	events, err := r.db.Log.Replay(t.Context(), domain.WholeLog(r.room), after, 50)
	if err != nil || len(events) == 0 {
		return
	}
	for i, e := range events {
		if e.Seq != events[0].Seq+int64(i) {
			t.Errorf("%d follows on %d", e.Seq, events[0].Seq+int64(i)-1)
		}
	}
	if first := events[0].Seq; first != after+1 && floor(t, r.db, r.room) < first-1 {
		t.Errorf("a reader who has %d gets %d, with a floor of %d", after, first, floor(t, r.db, r.room))
	}
}

// search checks that nothing is found that was purged before. last is the floor before the search; it
// returns that for the next one.
func (r *purgeRace) search(t *testing.T, last int64) int64 {
	for _, seq := range find(t, r.db, r.reader, "needle") {
		if seq < last {
			t.Errorf("%d was found after the floor was at %d", seq, last)
		}
	}
	last = floor(t, r.db, r.room) // what is searched for later is after it
	if _, err := r.db.Messages.MarkRead(t.Context(), r.reader, r.room, last, false, time.Now()); err != nil {
		t.Error(err)
	}
	return last
}

// run runs all of them at the same time, until everything is written and purged.
func (r *purgeRace) run(t *testing.T, writers, messages int, seed uint64) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writing, watching sync.WaitGroup
	for w := range writers {
		writing.Go(func() { r.write(ctx, t, w, messages, rand.New(rand.NewPCG(seed, uint64(w)))) })
	}
	until := func(fn func()) {
		watching.Go(func() {
			for ctx.Err() == nil && !t.Failed() {
				fn()
			}
		})
	}
	for range 2 { // as two nodes would
		until(func() { r.purge(t) })
	}
	until(func() { r.replay(t) })
	last := int64(0)
	until(func() { last = r.search(t, last) })
	writing.Wait()
	stop()
	watching.Wait()
	for !t.Failed() && r.purge(t) {
	}
}

// A room is purged during appends, edits, deletions, replays and searches. Readers get events without
// gaps, or the floor has risen past them. In the end exactly what was acknowledged after the floor is
// kept.
func TestPurgeRaces(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		t.Logf("seed %d", seed)
		const writers, messages, keep = 4, 120, 60
		r := &purgeRace{
			db: db, room: testkit.Room(t, db, writers+1),
			reader: testkit.UserID(writers), username: fmt.Sprint("user", writers), keep: keep,
			near: keep / writers * 2, now: make(map[int64]string),
		}
		testkit.Step(t, "readers see no gap and nothing that is gone", func(t *testing.T) {
			r.run(t, writers, messages, seed)
		})

		state, err := db.Rooms.Room(t.Context(), r.room)
		if err != nil {
			t.Fatal(err)
		}
		want := make(map[int64]bool) // has a text that is kept
		t.Run("the log is whole, and begins after the floor", func(t *testing.T) {
			if r.purged.Load() != state.Floor || state.Floor == 0 {
				t.Errorf("%d events went in steps, the floor is %d", r.purged.Load(), state.Floor)
			}
			if err := db.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
		t.Run("what was acknowledged after the floor is kept", func(t *testing.T) {
			kept, lines := replay(t, db, r.room, state.Floor, lines{}), 0
			for seq, text := range r.now {
				if seq <= state.Floor {
					continue
				}
				lines++
				if m, ok := kept[seq]; !ok || m.Text != text {
					t.Errorf("message %d says %q, was acknowledged as %q", seq, m.Text, text)
				}
				if text != "" {
					want[seq] = true
				}
			}
			if lines != keep {
				t.Errorf("%d lines are kept, want %d", lines, keep)
			}
		})
		t.Run("it is found, and nothing else", func(t *testing.T) {
			eventually(t, "exactly what is kept is found", func() bool {
				found := find(t, db, r.reader, "needle")
				for _, seq := range found {
					if !want[seq] {
						t.Fatalf("found %d, of which nothing is kept", seq)
					}
				}
				return len(found) == len(want)
			})
		})
		t.Run("it is unread", func(t *testing.T) {
			mark, err := db.Messages.MarkRead(t.Context(), r.reader, r.room, state.Floor, false, time.Now())
			if err != nil || mark.Messages != len(want) {
				t.Errorf("%d unread after the floor, want %d, %v", mark.Messages, len(want), err)
			}
		})
	})
}
