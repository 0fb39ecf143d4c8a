package mqtt

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// drops are stored messages that clients have acknowledged. They are deleted many at a time: what a
// crash leaves is sent again, marked as a duplicate.
type drops struct {
	store func(ctx context.Context, seqs []int64) error
	log   *slog.Logger
	full  chan struct{} // dropLimit wait
	mu    sync.Mutex
	seqs  []int64
	busy  chan struct{} // holds one while some are deleted
}

const (
	dropEvery = 100 * time.Millisecond
	dropLimit = 5000
)

func (d *drops) init(store func(ctx context.Context, seqs []int64) error, log *slog.Logger) {
	d.store, d.log, d.full = store, log, make(chan struct{}, 1)
	d.busy = make(chan struct{}, 1)
}

func (d *drops) add(seq int64) {
	d.mu.Lock()
	d.seqs = append(d.seqs, seq)
	full := len(d.seqs) == dropLimit
	d.mu.Unlock()
	if full {
		select {
		case d.full <- struct{}{}:
		default:
		}
	}
}

// flushNow deletes what was added before.
func (d *drops) flushNow() {
	d.busy <- struct{}{}
	defer func() { <-d.busy }()
	d.mu.Lock()
	seqs := d.seqs
	d.seqs = nil
	d.mu.Unlock()
	if len(seqs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishTime)
	defer cancel()
	if err := d.store(ctx, seqs); err != nil {
		d.log.WarnContext(ctx, "cannot delete MQTT messages that were delivered; will try again", "err", err)
		d.mu.Lock()
		d.seqs = append(d.seqs, seqs...)
		d.mu.Unlock()
	}
}

// run deletes what was added until ctx ends, and then the rest.
func (d *drops) run(ctx context.Context) {
	tick := time.NewTicker(dropEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			d.flushNow()
			return
		case <-d.full:
		case <-tick.C:
		}
		d.flushNow()
	}
}
