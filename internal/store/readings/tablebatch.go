package readings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// pendingReports is one append on its way, and what became of it.
type pendingReports struct {
	of      knownDevice
	reports []domain.Report
	now     time.Time

	done   domain.Appended
	erased bool // the device was erased meanwhile: nothing was stored
}

// A deviceBatch is what a batch has of one device.
type deviceBatch struct {
	stored, come numbers // before and after the batch
	dirty        map[uint64]bool
	records      []record
	waiting      waitingRecords
	received     int64
}

// WriteBatch implements store.BatchWriter.
func (b *table) WriteBatch(context.Context, *store.Tx, []*store.Item, bool) error {
	return errors.New("a table of waiting reports is on PostgreSQL alone")
}

// PipelineBatch implements store.BatchWriter, in two round trips: the first locks the devices and reads
// the numbers that have come, the second writes and commits.
func (b *table) PipelineBatch(ctx context.Context, t *store.Tx, items []*store.Item, _ bool, written func()) error {
	devices, err := lockDevices(ctx, t, items)
	if err != nil {
		return err
	}
	for _, item := range items {
		p := item.Value.(*pendingReports)
		d := devices[p.of.number]
		if p.erased = d == nil; p.erased {
			continue
		}
		d.waiting.ctx, d.waiting.q, d.waiting.number, d.waiting.more = ctx, t, p.of.number, d.records
		sel := choose(p.reports, p.of.slots, d.come, d.waiting.find)
		if d.waiting.err != nil {
			return d.waiting.err
		}
		d.records = append(d.records, sel.records...)
		d.received = p.now.UnixMilli()
		for _, boot := range d.come.keep(sel.changed, d.received) {
			d.dirty[boot] = true
		}
		p.done = sel.acknowledge(p.reports, d.come)
	}
	q := &pgx.Batch{}
	queueHead(q, devices)
	queueRanges(q, devices)
	q.Queue(`COMMIT`)
	return t.Pipeline(ctx, q, written, func(results pgx.BatchResults) error {
		var tag pgconn.CommandTag
		for range q.Len() {
			if tag, err = results.Exec(); err != nil {
				return fmt.Errorf("append readings: %w", err)
			}
		}
		if tag.String() != "COMMIT" {
			return fmt.Errorf("append readings: the database answered %q to a commit", tag)
		}
		return nil
	})
}

// lockDevices begins a transaction and locks the devices of items, in the order of their numbers. It reads
// what has come of them after that, when nobody else can change it. Those that are erased are missing.
func lockDevices(ctx context.Context, t *store.Tx, items []*store.Item) (map[int64]*deviceBatch, error) {
	numbersOfItems := make([]int64, len(items))
	for i, item := range items {
		numbersOfItems[i] = item.Value.(*pendingReports).of.number
	}
	slices.Sort(numbersOfItems)
	ids := slices.Compact(numbersOfItems)
	q := &pgx.Batch{}
	q.Queue(`BEGIN`)
	q.Queue(`SELECT id FROM reading_devices WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE`, ids)
	q.Queue(`SELECT dev, boot, first, last, touched FROM reading_ranges WHERE dev = ANY ($1::bigint[])
		ORDER BY dev, boot, first`, ids)
	devices := make(map[int64]*deviceBatch, len(ids))
	err := t.Pipeline(ctx, q, func() {}, func(results pgx.BatchResults) error {
		if _, err := results.Exec(); err != nil {
			return err
		}
		rows, _ := results.Query() // its error is that of the rows
		var id int64
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			devices[id] = &deviceBatch{stored: make(numbers), dirty: make(map[uint64]bool)}
			return nil
		})
		if err != nil {
			return err
		}
		rows, _ = results.Query()
		var bootID, first, last, touched int64
		_, err = pgx.ForEachRow(rows, []any{&id, &bootID, &first, &last, &touched}, func() error {
			if d := devices[id]; d != nil {
				d.stored.stored(bootID, first, last, touched)
			}
			return nil
		})
		return err
	})
	for _, d := range devices {
		d.come = maps.Clone(d.stored) // choose changes no intervals
	}
	return devices, err
}

// queueHead stores the records of devices, those of an hour in one row.
func queueHead(q *pgx.Batch, devices map[int64]*deviceBatch) {
	var dev, hour, received, reports []int64
	var bodies [][]byte
	for _, id := range slices.Sorted(maps.Keys(devices)) {
		d := devices[id]
		begin := len(dev)
		for i := range d.records {
			h := d.records[i].hour()
			at := begin + slices.Index(hour[begin:], h)
			if at < begin {
				at = len(dev)
				dev, hour, received = append(dev, id), append(hour, h), append(received, d.received)
				reports, bodies = append(reports, 0), append(bodies, nil)
			}
			reports[at]++
			bodies[at] = appendRecord(bodies[at], &d.records[i])
		}
	}
	if len(dev) > 0 {
		q.Queue(`INSERT INTO reading_head (dev, hour, received, reports, body)
			SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[])`, dev, hour, received,
			reports, bodies)
	}
}

// queueRanges stores the numbers of boots that have changed. Of most, the last interval is longer.
func queueRanges(q *pgx.Batch, devices map[int64]*deviceBatch) {
	var dev, boots, first, last, touched []int64
	var gone struct{ dev, boot, first []int64 }
	for _, id := range slices.Sorted(maps.Keys(devices)) {
		d := devices[id]
		for b := range d.dirty {
			now := d.come[b]
			for _, v := range now.intervals {
				dev, boots, touched = append(dev, id), append(boots, int64(b)), append(touched, now.touched)
				first, last = append(first, int64(v.first)), append(last, int64(v.last))
			}
			for _, v := range d.stored[b].intervals {
				if !now.begins(v.first) {
					gone.dev, gone.boot = append(gone.dev, id), append(gone.boot, int64(b))
					gone.first = append(gone.first, int64(v.first))
				}
			}
		}
	}
	if len(gone.dev) > 0 {
		q.Queue(`DELETE FROM reading_ranges r USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) v (dev, boot, first)
			WHERE r.dev = v.dev AND r.boot = v.boot AND r.first = v.first`, gone.dev, gone.boot, gone.first)
	}
	if len(dev) > 0 {
		q.Queue(`INSERT INTO reading_ranges (dev, boot, first, last, touched)
			SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
			ON CONFLICT (dev, boot, first) DO UPDATE SET last = excluded.last, touched = excluded.touched`, dev, boots,
			first, last, touched)
	}
}
