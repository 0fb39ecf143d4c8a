package ratelimit

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBurstThenSteady(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(10, time.Minute, 10)
	for i := range 10 {
		if ok, _ := l.Allow("a", now); !ok {
			t.Fatalf("event %d of the burst was refused", i+1)
		}
	}
	ok, wait := l.Allow("a", now)
	if ok || wait != 6*time.Second {
		t.Fatalf("event 11: got %v, wait %v; want refused, wait 6s", ok, wait)
	}
	if ok, _ := l.Allow("b", now); !ok {
		t.Fatal("another key is limited by the first")
	}
	if ok, _ := l.Allow("a", now.Add(wait-time.Nanosecond)); ok {
		t.Fatal("allowed a nanosecond before the time that it named")
	}
	if ok, _ := l.Allow("a", now.Add(wait)); !ok {
		t.Fatal("refused at the time that it named")
	}
}

func TestRefusalConsumesNothing(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(1, time.Second, 1)
	l.Allow("a", now)
	for range 100 {
		l.Allow("a", now)
	}
	if ok, _ := l.Allow("a", now.Add(time.Second)); !ok {
		t.Fatal("refused events pushed the next allowed one away")
	}
}

func TestNeverMoreThanTheRate(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(50, time.Second, 5)
	allowed := 0
	for i := range 10_000 { // ten seconds, an attempt each millisecond
		if ok, _ := l.Allow("a", now.Add(time.Duration(i)*time.Millisecond)); ok {
			allowed++
		}
	}
	if allowed < 500 || allowed > 505 {
		t.Fatalf("allowed %d events in 10 s; want 500 and at most the burst of 5 more", allowed)
	}
}

func TestNoLimit(t *testing.T) {
	l := New(0, time.Second, 1)
	for range 1000 {
		if ok, _ := l.Allow("a", time.Unix(0, 0)); !ok {
			t.Fatal("a limit of 0 refused an event")
		}
	}
	if l.Len() != 0 {
		t.Fatalf("a limit of 0 remembers %d keys", l.Len())
	}
}

func TestForgetsOldKeys(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(1, time.Second, 1)
	for i := range 20_000 { // 1,000 keys a second: about 1,000 matter at any time
		l.Allow(fmt.Sprint(i), now.Add(time.Duration(i)*time.Millisecond))
	}
	if n := l.Len(); n > 4000 {
		t.Fatalf("%d keys remembered; about 1,000 of them can make a difference", n)
	}
}

func TestHardCap(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(1, time.Hour, 1)
	l.cap = 16
	for i := range 10_000 {
		if ok, _ := l.Allow(fmt.Sprint(i), now); !ok {
			t.Fatal("a new key was refused")
		}
	}
	if n := l.Len(); n > 16*shardCount {
		t.Fatalf("%d keys remembered, cap is %d", n, 16*shardCount)
	}
}

func TestManyAtOnce(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(100, time.Minute, 100)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if ok, _ := l.Allow("a", now); ok {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if allowed.Load() != 100 {
		t.Fatalf("allowed %d of 800 events at once, want 100", allowed.Load())
	}
}

func BenchmarkAllow(b *testing.B) {
	l := New(1_000_000, time.Second, 1_000_000)
	keys := make([]string, 4096)
	for i := range keys {
		keys[i] = fmt.Sprint("key-", i)
	}
	now := time.Unix(1_800_000_000, 0)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		l.Allow(keys[i%len(keys)], now.Add(time.Duration(i)))
	}
}

func TestRefundRestoresCapacity(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
		a := netip.MustParseAddr(addr)
		l := New(2, time.Hour, 2)
		for i := range 40 { // more than the /48 of an IPv6 address may do
			if ok, _ := l.AllowAddr(a, now); !ok {
				t.Fatalf("%s: refused at %d", addr, i)
			}
			l.RefundAddr(a)
		}
		for want := 2; want >= 0; want-- {
			if ok, _ := l.AllowAddr(a, now); ok != (want > 0) {
				t.Errorf("%s: %v with %d left", addr, ok, want)
			}
		}
	}
}
