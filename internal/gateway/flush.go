package gateway

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/obs"
)

const (
	batchSize  = 64
	batchQueue = 1024 // batches that wait for a flusher
)

// batch is a handful of connections that have something to be written, of one
// event.
type batch struct {
	conns [batchSize]*conn
	n     int
	at    int64 // when the event was accepted, Unix milliseconds; 0: not an event
}

// flushers write to the connections of a room: one goroutine per processor,
// for all rooms. They never wait for a socket. While they are busy, further
// events gather in the queues and leave in one write.
type flushers struct {
	work      chan *batch
	free      sync.Pool
	behind    atomic.Int64          // batches that no flusher had time for
	delivered func(seconds float64) // called once per batch
}

func (f *flushers) init() {
	f.work = make(chan *batch, batchQueue)
	f.free.New = func() any { return new(batch) }
}

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

func (f *flushers) batch(at int64) *batch {
	b := f.free.Get().(*batch)
	b.at = at
	return b
}

// hand gives b to a flusher, or does its work if all are behind: whoever makes
// events then waits.
func (f *flushers) hand(b *batch) {
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

func (f *flushers) flush(b *batch) {
	w := writers.Get().(*writer)
	for i, c := range b.conns[:b.n] {
		c.flushWith(w)
		b.conns[i] = nil
	}
	w.b = nil
	writers.Put(w)
	if b.at != 0 && b.n > 0 {
		f.delivered(max(time.Since(time.UnixMilli(b.at)).Seconds(), 0))
	}
	b.n = 0
	f.free.Put(b)
}
