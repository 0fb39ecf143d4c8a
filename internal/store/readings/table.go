package readings

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// A table is where reports wait on PostgreSQL: in rows of reading_head, one for each append and hour.
//
// Whoever changes something of a device locks its row in reading_devices first: appends of any
// node, closing and erasing. So the numbers of reports that have come are stored in the
// transaction that stores the reports, and no report is in both a row and a chunk.
type table struct {
	repo *Repository
	db   *store.DB

	mu     sync.Mutex
	known  map[int64][]series // by the number of the device
	looked time.Time          // for what is due
}

const (
	tableKnown     = 20_000 // devices whose series are in memory; when there are more, it begins anew
	tableLookEvery = time.Minute
)

// On returns the repository in a PostgreSQL database, which stays open at its end.
func On(db *store.DB) *Repository {
	repo := &Repository{db: db}
	repo.waiting = &table{repo: repo, db: db, known: make(map[int64][]series)}
	return repo
}

// lock locks the device, and makes it if there is none.
func (b *table) lock(ctx context.Context, t *store.Tx, device string) (number int64, err error) {
	find := `SELECT id FROM reading_devices WHERE device = $1` + t.ForUpdate()
	err = t.QueryRowContext(ctx, find, device).Scan(&number)
	if !errors.Is(err, sql.ErrNoRows) {
		return number, err
	}
	if _, err := t.ExecContext(ctx, `INSERT INTO reading_devices (device) VALUES ($1) ON CONFLICT DO NOTHING`,
		device); err != nil {
		return 0, err
	}
	err = t.QueryRowContext(ctx, find, device).Scan(&number)
	return number, err
}

func (b *table) append(
	ctx context.Context, device string, reports []domain.Report, now time.Time,
) (done domain.Appended, err error) {
	err = b.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		number, err := b.lock(ctx, t, device)
		if err != nil {
			return err
		}
		all, err := b.seriesFor(ctx, t, number, reports)
		if err != nil {
			return err
		}
		come, err := numbersOf(ctx, t, number)
		if err != nil {
			return err
		}
		w := waitingRecords{ctx: ctx, q: t, number: number}
		sel := choose(reports, slotsOf(all), come, w.find)
		if w.err != nil {
			return w.err
		}
		if err := insertHead(ctx, t, number, sel.records, now); err != nil {
			return err
		}
		for _, boot := range come.keep(sel.changed, now.UnixMilli()) {
			if err := writeRanges(ctx, t, number, boot, come[boot].intervals, come[boot].touched); err != nil {
				return err
			}
		}
		done = sel.acknowledge(reports, come)
		return nil
	})
	return done, err
}

// seriesFor returns the series of a device, and makes those that reports lack.
func (b *table) seriesFor(
	ctx context.Context, t *store.Tx, number int64, reports []domain.Report,
) ([]series, error) {
	b.mu.Lock()
	all, ok := b.known[number]
	b.mu.Unlock()
	if ok && !unknown(all, slotsOf(all), reports) {
		return all, nil
	}
	// Series that this transaction makes are not remembered: it may be rolled back.
	stored, err := seriesOf(ctx, t, number)
	if err != nil {
		return nil, err
	}
	if unknown(stored, slotsOf(stored), reports) {
		return addSeries(ctx, t, number, reports)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.known) >= tableKnown {
		clear(b.known)
	}
	b.known[number] = stored
	return stored, nil
}

// insertHead stores records, those of an hour in one row.
func insertHead(ctx context.Context, t *store.Tx, number int64, rs []record, now time.Time) error {
	bodies := make(map[int64][]byte)
	counts := make(map[int64]int)
	var hours []int64
	for i := range rs {
		h := rs[i].hour()
		if counts[h]++; counts[h] == 1 {
			hours = append(hours, h)
		}
		bodies[h] = appendRecord(bodies[h], &rs[i])
	}
	for _, h := range hours {
		_, err := t.ExecContext(ctx, `INSERT INTO reading_head (dev, hour, received, reports, body)
			VALUES ($1, $2, $3, $4, $5)`, number, h, now.UnixMilli(), counts[h], bodies[h])
		if err != nil {
			return err
		}
	}
	return nil
}

// waitingRecords finds records that wait, for reports that came twice.
type waitingRecords struct {
	ctx    context.Context
	q      store.Queryer
	number int64
	loaded bool
	all    []record
	err    error
}

func (w *waitingRecords) find(r *record) (record, bool) {
	if !w.loaded {
		w.loaded = true
		w.all, w.err = headOf(w.ctx, w.q, w.number)
	}
	i := slices.IndexFunc(w.all, func(x record) bool { return x.hasSeq && x.boot == r.boot && x.seq == r.seq })
	if i < 0 {
		return record{}, false
	}
	return w.all[i], true
}

// headOf returns the records of a device that wait.
func headOf(ctx context.Context, q store.Queryer, number int64) (rs []record, err error) {
	rows, err := q.QueryContext(ctx, `SELECT id, body FROM reading_head WHERE dev = $1 ORDER BY id`, number)
	if err != nil {
		return nil, err
	}
	stored, err := store.Collect(rows, scanPart)
	if err != nil {
		return nil, err
	}
	for _, p := range stored {
		more, err := readRecords(p.body)
		if err != nil {
			return nil, err
		}
		rs = append(rs, more...)
	}
	return rs, nil
}

func (b *table) read(ctx context.Context, device string, fn func(view) error) (found bool, err error) {
	err = b.db.Snapshot(ctx, func(q store.Queryer) error {
		v := view{q: q}
		var err error
		if v.number, err = numberOf(ctx, q, device); err != nil || v.number == 0 {
			return err
		}
		found = true
		if v.series, err = seriesOf(ctx, q, v.number); err != nil {
			return err
		}
		if v.waiting, err = headOf(ctx, q, v.number); err != nil {
			return err
		}
		return fn(v)
	})
	return found, err
}

// close packs windows that are due, each in a transaction of its own. Nodes share them: a window
// whose device another one has locked is left to that one.
func (b *table) close(ctx context.Context, now time.Time, all bool) (more bool, err error) {
	b.mu.Lock()
	early := !all && now.Sub(b.looked) < tableLookEvery
	if !early {
		b.looked = now
	}
	b.mu.Unlock()
	if early {
		return false, nil
	}
	windows, err := b.due(ctx, now, all)
	if err != nil {
		return false, err
	}
	for _, w := range windows { // one that is damaged keeps no other waiting
		if e := b.closeWindow(ctx, w.dev, w.hour); e != nil {
			err = errors.Join(err, fmt.Errorf("readings of device %d, hour %d: %w", w.dev, w.hour, e))
		}
	}
	if err != nil {
		return false, err
	}
	if more = len(windows) == closeAtOnce; more {
		b.mu.Lock()
		b.looked = time.Time{}
		b.mu.Unlock()
	}
	return more, nil
}

type window struct{ dev, hour int64 }

func (b *table) due(ctx context.Context, now time.Time, all bool) ([]window, error) {
	old, silent := now.Add(-closeAge).UnixMilli(), now.Add(-closeSilence).UnixMilli()
	if all {
		old, silent = now.Add(closeAge).UnixMilli(), now.Add(closeAge).UnixMilli()
	}
	rows, err := b.db.QueryContext(ctx, `SELECT dev, hour FROM reading_head GROUP BY dev, hour
		HAVING sum(reports) >= $1 OR min(received) <= $2 OR max(received) <= $3 ORDER BY hour, dev LIMIT $4`,
		closeReports, old, silent, closeAtOnce)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (w window, err error) {
		err = rows.Scan(&w.dev, &w.hour)
		return w, err
	})
}

func (b *table) closeWindow(ctx context.Context, dev, hour int64) error {
	return b.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var locked int64
		err := t.QueryRowContext(ctx, `SELECT id FROM reading_devices WHERE id = $1`+t.SkipLocked(), dev).Scan(&locked)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, `DELETE FROM reading_head WHERE dev = $1 AND hour = $2 RETURNING id, body`, dev,
			hour)
		if err != nil {
			return err
		}
		stored, err := store.Collect(rows, scanPart)
		if err != nil {
			return err
		}
		slices.SortFunc(stored, func(x, y part) int { return cmp.Compare(x.id, y.id) })
		var rs []record
		for _, p := range stored {
			more, err := readRecords(p.body)
			if err != nil {
				return err
			}
			rs = append(rs, more...)
		}
		all, err := seriesOf(ctx, t, dev)
		if err != nil {
			return err
		}
		return b.repo.writeWindow(ctx, t, dev, hour, all, rs, 0)
	})
}

func (b *table) erase(ctx context.Context, device string) error {
	return b.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var number int64
		err := t.QueryRowContext(ctx, `SELECT id FROM reading_devices WHERE device = $1`+t.ForUpdate(), device).Scan(&number)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM reading_head WHERE dev = $1`, number); err != nil {
			return err
		}
		return eraseDevice(ctx, t, number)
	})
}
