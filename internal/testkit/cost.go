//go:build unix

package testkit

import (
	"syscall"
	"testing"
	"time"
)

// ProcessorTime is what this process has used.
func ProcessorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Cost runs do for the time of a benchmark, and tells what processor time one takes, which depends less on what else
// the machine does than the time by the clock; and with what, how many of it a processor does in a second, if do does
// each of them.
func Cost(b *testing.B, what string, each int, do func(i int)) {
	b.Helper()
	begin, i := ProcessorTime(), 0
	for b.Loop() {
		do(i)
		i++
	}
	used := ProcessorTime() - begin
	b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(i), "cpu-µs/op")
	if what != "" {
		b.ReportMetric(float64(i*each)/used.Seconds(), what+"/cpu-s")
	}
}
