package hub

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// News of one node overtakes that of another. It waits for its turn, and the log is
// read only for what does not come.
func TestOutOfOrderEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.lose = true // the test says itself what the bus brings
		n := start(t, w)
		r := &room{hub: n.h, id: "r1", index: make(map[*Member]subscription)}
		var news []bus.Message
		for range 700 {
			seq := w.say("r1")
			b, err := wire.PackEvent(w.logs["r1"][seq-1])
			if err != nil {
				t.Fatal(err)
			}
			news = append(news, bus.Message{Subject: wire.RoomSubject("r1"), Data: b})
		}
		hear := func(seqs ...int64) {
			for _, seq := range seqs {
				r.onBus(news[seq-1])
			}
		}
		is := func(when string, last int64, reads, held int) {
			t.Helper()
			synctest.Wait()
			r.deliver.Lock()
			defer r.deliver.Unlock()
			if r.delivered() != last || w.reads != reads || len(r.pending) != held {
				t.Errorf("%s: delivered up to %d after %d reads, and %d wait; want %d, %d, %d",
					when, r.delivered(), w.reads, len(r.pending), last, reads, held)
			}
		}
		pause := func() { time.Sleep(reorderWait + time.Millisecond) }
		hear(3, 2, 2, 3)
		is("the first is missing", 0, 0, 2)
		hear(1)
		is("the first comes last", 3, 0, 0)
		pause()
		is("nothing is overdue", 3, 0, 0)
		hear(5)
		pause()
		is("one never comes", 3+domain.MaxReplay, 1, 0) // the log gives more than was missing

		rewind := func(last int64) {
			r.deliver.Lock()
			defer r.deliver.Unlock()
			r.last, w.reads = last, 0
		}
		rewind(5)
		w.set(func() { w.fail = errors.New("away") })
		hear(8)
		pause()
		is("the log cannot be read", 5, 1, 0)
		w.set(func() { w.fail = nil })
		hear(7, 6)
		is("the bus is in order again", 7, 1, 0)
		pause()

		rewind(7)
		backwards := make([]int64, maxPending+1)
		for i := range backwards {
			backwards[i] = int64(9 + i)
		}
		slices.Reverse(backwards)
		hear(backwards...)
		is("too many wait", 7+domain.MaxReplay, 1, 0)
		pause()
	})
}
