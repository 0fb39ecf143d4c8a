package gateway

import (
	"errors"
	"log/slog"
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
func TestEarlyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.lose = true // the test says itself what the bus brings
		g := New(Deps{Auth: w, Chat: w, Rooms: w, Log: w, Users: w, Bus: w.bus, Logger: slog.New(slog.DiscardHandler)})
		r := &room{g: g, id: "r1", index: make(map[*conn]place)}
		var news []bus.Message
		for range 700 {
			b, err := wire.PackEvent(w.say("ada", "r1", "hi"))
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
			r.deliver.Lock()
			defer r.deliver.Unlock()
			if r.at() != last || w.reads != reads || len(r.early) != held {
				t.Errorf("%s: delivered up to %d after %d reads, and %d wait; want %d, %d, %d", when, r.at(), w.reads, len(r.early), last, reads, held)
			}
		}
		pause := func() {
			time.Sleep(earlyWait + time.Millisecond)
			synctest.Wait()
		}
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
		w.set(func(w *world) { w.blind = errors.New("away") })
		hear(8)
		pause()
		is("the log cannot be read", 5, 1, 0)
		w.set(func(w *world) { w.blind = nil })
		hear(7, 6)
		is("the bus is in order again", 7, 1, 0)

		rewind(7)
		backwards := make([]int64, earlyMost+1)
		for i := range backwards {
			backwards[i] = int64(9 + i)
		}
		slices.Reverse(backwards)
		hear(backwards...)
		is("too many wait", 7+domain.MaxReplay, 1, 0)
		pause()
	})
}
