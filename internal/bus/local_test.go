package bus_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/bus/bustest"
)

var _ bus.Bus = (*bus.Local)(nil)

func TestLocal(t *testing.T) {
	t.Parallel()
	bustest.Run(t, func(*testing.T) (here, there bus.Bus) { b := bus.NewLocal(); return b, b })
}

func TestSlowSubscriberLosesAndIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewLocal()
		gate := make(chan struct{})
		var slow, quick atomic.Int64
		b.Subscribe("a", func(bus.Message) { <-gate; slow.Add(1) })
		b.Subscribe("a", func(bus.Message) { quick.Add(1) })
		const n = 10_000
		for i := range n {
			b.Publish("a", nil)
			if i%1000 == 0 {
				synctest.Wait() // the quick one keeps up; the slow one cannot
			}
		}
		synctest.Wait()
		close(gate)
		synctest.Wait()
		if quick.Load() != n {
			t.Errorf("the quick subscriber got %d of %d: the slow one held it up", quick.Load(), n)
		}
		if b.Dropped() == 0 || slow.Load()+b.Dropped() != n {
			t.Errorf("slow got %d, dropped %d; want them to make up %d", slow.Load(), b.Dropped(), n)
		}
	})
}

func BenchmarkPublish(b *testing.B) {
	l := bus.NewLocal()
	done := make(chan struct{}, 1)
	l.Subscribe("a", func(bus.Message) { done <- struct{}{} })
	data := []byte("hello")
	b.ReportAllocs()
	for b.Loop() {
		l.Publish("a", data)
		<-done
	}
}
