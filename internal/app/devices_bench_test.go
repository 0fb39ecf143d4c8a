//go:build unix

package app_test

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/ws"
)

// BenchmarkDeviceConnects registers 10,000 devices over HTTP on a whole server
// and connects them all, each by its key, so that all are there at once. Both ends
// of each connection are files of this process: if it may not have as many, there
// are fewer devices.
func BenchmarkDeviceConnects(b *testing.B) {
	const each = 100
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	n := min(10_000, int(limit.Cur-1000)/2) / each * each
	for b.Loop() {
		b.ReportMetric(float64(n), "devices")
		b.StopTimer()
		s := live.Start(b, testkit.SQLite(b), "RATE_LIMIT_DEVICE_REGISTER_PER_HOUR=1000000")
		owners := make([]*client.Client, n/each)
		for i := range owners {
			owners[i] = s.User(fmt.Sprintf("owner%d", i))
		}
		keys, conns := make([]string, n), make([]net.Conn, n)
		b.StartTimer()
		took := inParallel(b, n, func(i int) error {
			var out issued
			err := owners[i/each].Do(b.Context(), "POST", "/devices", map[string]string{"name": fmt.Sprint("Sensor ", i)}, &out)
			keys[i] = out.Key
			return err
		})
		b.ReportMetric(float64(n)/took.Seconds(), "registered/s")
		took = inParallel(b, n, func(i int) (err error) {
			conns[i], _, err = ws.Dial(b.Context(), s.URL+"/ws", nil, []string{"device", keys[i]}, nil)
			return err
		})
		b.ReportMetric(float64(n)/took.Seconds(), "connected/s")
		b.StopTimer()
		for _, c := range conns {
			_ = c.Close()
		}
		s.Stop()
		b.StartTimer()
	}
}

// inParallel calls do for each of n, 64 at a time, and returns how long it took.
func inParallel(b *testing.B, n int, do func(i int) error) time.Duration {
	b.Helper()
	begin := time.Now()
	var at atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for {
				i := int(at.Add(1)) - 1
				if i >= n || b.Failed() {
					return
				}
				if err := do(i); err != nil {
					b.Errorf("device %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}
