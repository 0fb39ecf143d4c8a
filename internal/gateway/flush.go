package gateway

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/hub"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/trace"
)

const batchQueue = 1024 // batches that wait for a flusher

// flushers write to the connections of a room: one goroutine per processor,
// for all rooms. They never wait for a socket. While they are busy, further
// events gather in the queues and leave in one write.
type flushers struct {
	work      chan *hub.Batch
	behind    atomic.Int64                          // batches that no flusher had time for
	delivered func(seconds float64, traceID string) // called once per batch
}

func (f *flushers) init() { f.work = make(chan *hub.Batch, batchQueue) }

// start runs the flushers until ctx ends.
func (f *flushers) start(ctx context.Context, wg *sync.WaitGroup) {
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				select {
				case b := <-f.work:
					f.flush(b)
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

// Flush gives b to a flusher, or does its work if all are behind: whoever makes
// events then waits.
func (f *flushers) Flush(b *hub.Batch) {
	select {
	case f.work <- b:
	default:
		f.behind.Add(1)
		f.flush(b)
	}
}

// Queues are where events wait for their members' sockets.
func (g *Service) Queues() []obs.Queue {
	f := &g.flushers
	return []obs.Queue{{Name: "fan_out", Limit: batchQueue, Depth: func() int { return len(f.work) }, Full: f.behind.Load}}
}

func (f *flushers) flush(b *hub.Batch) {
	w := writers.Get().(*writer)
	members := b.Members()
	for _, m := range members {
		m.Queue().(*conn).flushWith(w)
	}
	w.b = nil
	writers.Put(w)
	if b.At != 0 && len(members) > 0 {
		f.delivered(max(time.Since(time.UnixMilli(b.At)).Seconds(), 0), trace.IDOf(b.Trace))
	}
	b.Free()
}
