package readings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/store"
)

// A due builder is closed in the next commit. Its device is locked meanwhile.
type due struct {
	d    *device
	hour int64
	b    *builder
}

// close packs what is due, closeAtOnce windows in one commit.
func (j *journal) close(ctx context.Context, now time.Time, all bool) (more bool, err error) {
	locked, windows := j.due(now, all)
	defer func() {
		for _, d := range locked {
			d.mu.Unlock()
		}
	}()
	if len(windows) == 0 {
		return false, nil
	}
	if err := j.pack(ctx, locked, windows); err == nil || ctx.Err() != nil {
		return len(windows) >= closeAtOnce, err
	}
	for _, w := range windows { // one that is damaged keeps no other waiting
		if e := j.pack(ctx, []*device{w.d}, []due{w}); e != nil {
			err = errors.Join(err, fmt.Errorf("readings of device %d, hour %d: %w", w.d.number, w.hour, e))
		}
	}
	return false, err
}

// pack packs windows of devices, all or none, and drops their builders.
func (j *journal) pack(ctx context.Context, devices []*device, windows []due) error {
	err := j.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		for _, w := range windows {
			rs, err := readRecords(w.b.records)
			if err != nil {
				return err
			}
			if err := j.repo.writeWindow(ctx, t, w.d.number, w.hour, w.d.series, rs, w.b.last); err != nil {
				return err
			}
		}
		for _, d := range devices {
			for b := range d.dirty {
				if err := writeRanges(ctx, t, d.number, b, d.numbers[b].intervals, d.numbers[b].touched); err != nil {
					return err
				}
			}
		}
		return j.trim(ctx, t, windows)
	})
	if err != nil {
		return err
	}
	for _, w := range windows {
		delete(w.d.open, w.hour)
		j.closed(w.b)
	}
	for _, d := range devices {
		clear(d.dirty)
	}
	return nil
}

// closed counts a builder no longer.
func (j *journal) closed(b *builder) {
	j.release(b.first)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.bytes -= len(b.records)
}

// trim deletes the rows of the journal that are of no use once the windows are closed: those below
// the lowest that something else needs. The last one stays, so that its id is not used again.
func (j *journal) trim(ctx context.Context, t *store.Tx, windows []due) error {
	j.mu.Lock()
	held := maps.Clone(j.held)
	j.mu.Unlock()
	for _, w := range windows {
		if held[w.b.first]--; held[w.b.first] == 0 {
			delete(held, w.b.first)
		}
	}
	const last = `(SELECT max(id) FROM reading_journal)`
	if len(held) == 0 {
		_, err := t.ExecContext(ctx, `DELETE FROM reading_journal WHERE id < `+last)
		return err
	}
	_, err := t.ExecContext(ctx, `DELETE FROM reading_journal WHERE id < $1 AND id < `+last,
		slices.Min(slices.Collect(maps.Keys(held))))
	return err
}

// due locks the devices that have builders to close, and returns these. Devices that are of no use
// in memory are dropped.
func (j *journal) due(now time.Time, all bool) (locked []*device, windows []due) {
	j.mu.Lock()
	devices := slices.Collect(maps.Values(j.devices))
	excess := j.bytes - j.most
	j.mu.Unlock()
	for _, d := range devices {
		if len(windows) >= closeAtOnce {
			break
		}
		if !d.mu.TryLock() { // one that is in use comes next time
			continue
		}
		before := len(windows)
		for hour, b := range d.open {
			if all || excess > 0 || b.due(now) {
				windows = append(windows, due{d, hour, b})
				excess -= len(b.records)
			}
		}
		if len(windows) > before {
			locked = append(locked, d)
			continue
		}
		if len(d.open) == 0 && len(d.dirty) == 0 && now.Sub(d.used) > idleDevice {
			j.drop(d)
		}
		d.mu.Unlock()
	}
	return locked, windows
}

// due reports whether b is to be closed: it is full, old, or nothing more comes.
func (b *builder) due(now time.Time) bool {
	return b.count >= closeReports || now.Sub(b.since) >= closeAge || now.Sub(b.touched) >= closeSilence
}
