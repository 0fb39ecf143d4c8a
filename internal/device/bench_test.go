package device

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// fleet registers n devices of people who have 100 each, as many at once as the
// writer takes together, and returns their keys.
func fleet(b *testing.B, s *Service, db *all.Store, n int) []string {
	b.Helper()
	const each = 100
	keys := make([]string, n)
	owners := make([]string, (n+each-1)/each)
	for i := range owners {
		owners[i] = user(b, db, fmt.Sprintf("owner%d", i))
	}
	var at atomic.Int64
	work := make(chan error)
	for range 64 {
		go func() {
			for {
				i := int(at.Add(1)) - 1
				if i >= n {
					work <- nil
					return
				}
				made, err := s.Register(b.Context(), owners[i/each], Registration{Name: fmt.Sprintf("Sensor %d", i)})
				if err != nil {
					work <- err
					return
				}
				keys[i] = made.Key
			}
		}()
	}
	for range 64 {
		if err := <-work; err != nil {
			b.Fatal(err)
		}
	}
	return keys
}

// BenchmarkTenThousandDevices registers 10,000 devices and lets all of them in,
// as after a restart. With Argon2 the second part alone would take an hour of a
// processor's time.
func BenchmarkTenThousandDevices(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		b.StopTimer()
		db := testkit.Open(b, testkit.SQLite(b))
		s, _ := open(b, db)
		s.Max = 100
		b.StartTimer()
		begin := time.Now()
		keys := fleet(b, s, db, n)
		registered := time.Since(begin)
		begin = time.Now()
		var at atomic.Int64
		done := make(chan error)
		for range 64 {
			go func() {
				for {
					i := int(at.Add(1)) - 1
					if i >= n {
						done <- nil
						return
					}
					if _, err := s.AuthenticateDevice(b.Context(), keys[i], here); err != nil {
						done <- err
						return
					}
				}
			}()
		}
		for range 64 {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(n/registered.Seconds(), "registered/s")
		b.ReportMetric(n/time.Since(begin).Seconds(), "authenticated/s")
	}
}

// BenchmarkAuthenticate is what a reconnecting device costs the server, before
// the socket.
func BenchmarkAuthenticate(b *testing.B) {
	db := testkit.Open(b, testkit.SQLite(b))
	s, _ := open(b, db)
	keys := fleet(b, s, db, 1000)
	b.Run("good", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := s.AuthenticateDevice(b.Context(), keys[i%len(keys)], here); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("mistyped", func(b *testing.B) {
		for b.Loop() {
			if _, ok := keyID("dk_7Hq2LmX9Ra_aB3xaB3xaB3xaB3xaB3xaB3xaB3xaB3x3c4LWj"); ok {
				b.Fatal("taken for a key")
			}
		}
	})
}
