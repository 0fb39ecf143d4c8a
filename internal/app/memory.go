package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Hashing a password takes 48 MiB for a moment, and the Go runtime keeps such
// memory for long on a server that is quiet otherwise. Between its rare
// requests the server gives it back, and what its own rounds have left over.
const (
	memoryEvery = 20 * time.Second
	memoryQuiet = 32 << 20 // bytes allocated in that time; more are not quiet
	memoryMin   = 4 << 20  // bytes allocated since the last time
)

// releaseMemory returns memory to the system in quiet moments: after
// much was allocated, and then nothing much for a while.
func releaseMemory(ctx context.Context) error {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	var returned, before uint64
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := allocated()
		quiet := now-before < memoryQuiet
		before = now
		if quiet && now-returned > memoryMin {
			debug.FreeOSMemory()
			returned = now
		}
	}
}

// allocated returns how many bytes were ever allocated.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
