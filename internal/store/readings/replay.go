package readings

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/store"
)

// A replay reads the journal back after a start.
type replay struct {
	j        *journal
	now      time.Time
	byNumber map[int64]*device // nil: it was erased
	marks    map[int64]int64   // by window: the last row that its chunks have
}

// replay puts what is in no chunk back into builders.
func (j *journal) replay(ctx context.Context) error {
	r := replay{j: j, now: time.Now(), byNumber: make(map[int64]*device), marks: make(map[int64]int64)}
	rows, err := j.db.QueryContext(ctx, `SELECT id, body FROM reading_journal ORDER BY id`)
	if err != nil {
		return err
	}
	_, err = store.Collect(rows, func(rows *sql.Rows) (_ struct{}, err error) {
		p, err := scanPart(rows)
		if err == nil {
			err = r.row(ctx, p.id, p.body)
		}
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("read the journal of readings: %w", err)
	}
	return nil
}

func (r *replay) row(ctx context.Context, row int64, body []byte) error {
	for len(body) > 0 {
		number, n := binary.Uvarint(body)
		if n <= 0 {
			return errDamagedRecord
		}
		records, rest, err := cut(body[n:])
		if err != nil {
			return err
		}
		body = rest
		d, err := r.device(ctx, int64(number))
		if err != nil {
			return err
		}
		if d == nil {
			continue
		}
		if err := r.entry(ctx, d, row, records); err != nil {
			return err
		}
	}
	return nil
}

func (r *replay) device(ctx context.Context, number int64) (*device, error) {
	d, known := r.byNumber[number]
	if known {
		return d, nil
	}
	rows, err := r.j.db.QueryContext(ctx, `SELECT device FROM reading_devices WHERE id = $1`, number)
	if err != nil {
		return nil, err
	}
	ids, err := store.Collect(rows, store.ScanString)
	if err == nil && len(ids) > 0 {
		d = r.j.cached(ids[0])
		d.used = r.now
		err = r.j.load(ctx, d)
	}
	r.byNumber[number] = d
	return d, err
}

// entry adds the records of one append.
func (r *replay) entry(ctx context.Context, d *device, row int64, records []byte) error {
	for len(records) > 0 {
		body, rest, err := cut(records)
		if err != nil {
			return err
		}
		encoded := records[:len(records)-len(rest)]
		records = rest
		rec, err := readRecord(body)
		if err != nil {
			return err
		}
		for _, v := range rec.values {
			if int(v.slot) >= len(d.series) {
				return errDamagedRecord
			}
		}
		if rec.hasSeq {
			r.number(d, &rec)
		}
		mark, err := r.mark(ctx, key(rec.hour(), d.number))
		if err != nil {
			return err
		}
		if row > mark {
			r.j.build(d, &rec, encoded, row, r.now)
		}
	}
	return nil
}

// number remembers that the number of a record has come.
func (r *replay) number(d *device, rec *record) {
	s := d.numbers[rec.boot].intervals
	if _, has := s.find(rec.seq); has {
		return
	}
	changed := map[uint64]intervals{rec.boot: s.add(rec.seq)}
	for _, b := range d.numbers.keep(changed, r.now.UnixMilli()) {
		d.dirty[b] = true
	}
}

// mark is the last row of the journal that the chunks of a window have.
func (r *replay) mark(ctx context.Context, window int64) (int64, error) {
	if mark, known := r.marks[window]; known {
		return mark, nil
	}
	stored, err := parts(ctx, r.j.db, window)
	if err != nil {
		return 0, err
	}
	mark := int64(0)
	for _, p := range stored {
		h, err := chunk.ReadHeader(p.body)
		if err != nil {
			return 0, err
		}
		mark = max(mark, h.Mark)
	}
	r.marks[window] = mark
	return mark, nil
}
