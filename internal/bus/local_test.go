package bus_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

var _ bus.Bus = (*bus.Local)(nil)

func TestOrderPerSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewLocal()
		const n = 3000
		var got [3][]uint32
		for i := range got {
			_, err := b.Subscribe("room.a", func(m bus.Message) {
				got[i] = append(got[i], binary.BigEndian.Uint32(m.Data))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range uint32(n) {
			if err := b.Publish("room.a", binary.BigEndian.AppendUint32(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for i := range got {
			if len(got[i]) != n {
				t.Fatalf("subscription %d got %d of %d messages", i, len(got[i]), n)
			}
			for j, v := range got[i] {
				if v != uint32(j) {
					t.Fatalf("subscription %d got message %d at place %d", i, v, j)
				}
			}
		}
	})
}

func TestSubjectsAreSeparate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewLocal()
		var got []string
		b.Subscribe("a", func(m bus.Message) { got = append(got, m.Subject+":"+string(m.Data)) })
		b.Publish("b", []byte("1"))
		b.Publish("a", []byte("2"))
		synctest.Wait()
		if fmt.Sprint(got) != "[a:2]" {
			t.Fatalf("got %v, want [a:2]", got)
		}
	})
}

func TestSlowSubscriberLosesAndIsCounted(t *testing.T) {
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

func TestUnsubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewLocal()
		var n int
		var stop func()
		stop, _ = b.Subscribe("a", func(bus.Message) {
			n++
			stop() // from within: must neither block nor be called again
		})
		for range 100 {
			b.Publish("a", nil)
		}
		synctest.Wait()
		b.Publish("a", nil)
		synctest.Wait()
		if n != 1 {
			t.Fatalf("called %d times, want 1", n)
		}
	})
}

func TestRequest(t *testing.T) {
	b := bus.NewLocal()
	ctx := t.Context()
	if _, err := b.Request(ctx, "ask", nil); domain.KindOf(err) != domain.Unavailable {
		t.Fatalf("nobody there: got %v, want unavailable", err)
	}
	remove, err := b.Handle("ask", func(_ context.Context, m bus.Message) ([]byte, error) {
		return append([]byte("re: "), m.Data...), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Request(ctx, "ask", []byte("hi"))
	if err != nil || string(got) != "re: hi" {
		t.Fatalf("got %q, %v", got, err)
	}
	dead, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := b.Request(dead, "ask", nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("with a dead context: got %v", err)
	}
	remove()
	if _, err := b.Request(ctx, "ask", nil); domain.KindOf(err) != domain.Unavailable {
		t.Fatalf("after removal: got %v, want unavailable", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	b := bus.NewLocal()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			subject := fmt.Sprint("room.", i%3)
			for range 200 {
				stop, _ := b.Subscribe(subject, func(bus.Message) {})
				b.Publish(subject, []byte("x"))
				stop()
			}
		})
	}
	wg.Wait()
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
