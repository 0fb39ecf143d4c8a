package password

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

func BenchmarkHash(b *testing.B) {
	h := New(Options{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Hash(b.Context(), passphrase, Stranger); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHammered has 200 clients sign in, who come again when they are told
// that we are busy, and compares what gets through with the bare limit of the
// machine: as many hashes as it has processors, and nothing around them. The
// two take turns, so that what else the machine does falls on both.
func BenchmarkHammered(b *testing.B) {
	h := New(Options{})
	record, err := h.Hash(b.Context(), passphrase, Stranger)
	if err != nil {
		b.Fatal(err)
	}
	a, rounds := newArgon(argonMemory), 0
	var bare, through, peak float64
	for b.Loop() {
		rounds++
		n, _ := during(b, runtime.GOMAXPROCS(0), func(context.Context) bool { a.sum([]byte(passphrase)); return true })
		bare += n
		n, mib := during(b, 200, func(ctx context.Context) bool {
			ok, _, err := h.Verify(ctx, record, passphrase, Stranger)
			if domain.KindOf(err) == domain.Unavailable {
				select {
				case <-time.After(500 * time.Millisecond):
				case <-ctx.Done():
				}
			}
			return ok
		})
		through, peak = through+n, max(peak, mib)
	}
	b.ReportMetric(bare/float64(rounds), "bare/s")
	b.ReportMetric(through/float64(rounds), "sign-ins/s")
	b.ReportMetric(through/bare, "of-bare")
	b.ReportMetric(peak, "peak-MiB")
}

// during has n clients do their work again and again for some seconds. It
// returns how often a second it succeeded, and the largest heap meanwhile.
func during(b *testing.B, n int, work func(context.Context) bool) (rate, mib float64) {
	const span = 4 * time.Second
	ctx, cancel := context.WithTimeout(b.Context(), span)
	defer cancel()
	var done atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for range n {
		all.Go(func() {
			for ctx.Err() == nil {
				if work(ctx) {
					done.Add(1)
				}
			}
		})
	}
	for tick := time.Tick(20 * time.Millisecond); ctx.Err() == nil; <-tick {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		mib = max(mib, float64(m.HeapInuse)/(1<<20))
	}
	all.Wait()
	return float64(done.Load()) / time.Since(start).Seconds(), mib
}

// The bare limit, to compare BenchmarkHash with.
func BenchmarkArgon2(b *testing.B) {
	a := newArgon(argonMemory)
	b.ReportAllocs()
	for b.Loop() {
		a.sum([]byte(passphrase))
	}
}
