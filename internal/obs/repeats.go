package obs

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// repeated is what makes two lines the same. Messages are constants of the source, so there
// are not many.
type repeated struct {
	part    *part
	level   slog.Level
	message string
}

// repeats counts lines that are the same.
type repeats struct {
	most int // that are written; 0: all

	mu   sync.Mutex
	seen map[repeated]int // since the last take
}

// allow counts a line, and reports whether it is written.
func (r *repeats) allow(line repeated) bool {
	if r.most == 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = make(map[repeated]int)
	}
	r.seen[line]++
	return r.seen[line] <= r.most
}

// take returns what was seen since the last time.
func (r *repeats) take() map[repeated]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

const repeatsEvery = time.Minute

// Run tells once a minute which lines were left out, and once more when ctx ends.
func (l *Logs) Run(ctx context.Context) error {
	tick := time.NewTicker(repeatsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.tellLeftOut(ctx)
		case <-ctx.Done():
			l.tellLeftOut(ctx)
			return nil
		}
	}
}

// tellLeftOut writes a line about each that was left out since the last time.
func (l *Logs) tellLeftOut(ctx context.Context) {
	seen := l.repeats.take()
	lines := slices.SortedFunc(maps.Keys(seen), func(a, b repeated) int {
		return cmp.Or(cmp.Compare(a.part.name, b.part.name), cmp.Compare(a.message, b.message),
			cmp.Compare(a.level, b.level))
	})
	for _, line := range lines {
		if more := seen[line] - l.repeats.most; more > 0 {
			Whole(l.Part(line.part.name)).LogAttrs(ctx, line.level, "lines were left out, because they repeat one",
				slog.String("repeated", line.message), slog.Int("left_out", more))
		}
	}
}
