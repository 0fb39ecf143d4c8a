package readings

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// A table is where reports wait on PostgreSQL: in rows of reading_head, one for each commit, device and
// hour.
//
// Whoever changes something of a device locks its row in reading_devices first: appends of any
// node, closing and erasing; of several devices in the order of their numbers. So the numbers of reports
// that have come are stored in the transaction that stores the reports, and no report is in both a row and
// a chunk.
type table struct {
	repo *Repository
	db   *store.DB
	lane *store.Lane

	mu     sync.Mutex
	known  map[string]knownDevice
	looked time.Time // for what is due
}

// A knownDevice is what is stored of a device that does not change, or is only added to. Its maps are not
// changed.
type knownDevice struct {
	number int64
	series []series
	slots  map[string]uint32
}

const (
	tableKnown     = 20_000 // devices whose series are in memory; when there are more, it begins anew
	tableLookEvery = time.Minute
	tableAtOnce    = 2048 // windows of a look, which reads the whole head
)

// On returns the repository in a PostgreSQL database, which stays open at its end.
func On(db *store.DB) *Repository {
	repo := &Repository{db: db}
	repo.waiting = &table{repo: repo, db: db, lane: db.NewLane("reading_writes"), known: make(map[string]knownDevice)}
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
) (domain.Appended, error) {
	for {
		of, err := b.deviceFor(ctx, device, reports)
		if err != nil {
			return domain.Appended{}, err
		}
		p := &pendingReports{of: of, reports: reports, now: now}
		if err := b.lane.WriteItem(ctx, b, &store.Item{Value: p}); err != nil {
			return domain.Appended{}, err
		}
		if !p.erased {
			return p.done, nil
		}
		b.mu.Lock()
		delete(b.known, device)
		b.mu.Unlock()
	}
}

// deviceFor returns what is known of a device, and makes the series that reports lack.
func (b *table) deviceFor(ctx context.Context, device string, reports []domain.Report) (knownDevice, error) {
	b.mu.Lock()
	of, ok := b.known[device]
	b.mu.Unlock()
	if ok && !unknown(of.series, of.slots, reports) {
		return of, nil
	}
	err := b.db.Write(ctx, func(ctx context.Context, t *store.Tx) (err error) {
		if of.number, err = b.lock(ctx, t, device); err == nil {
			of.series, err = addSeries(ctx, t, of.number, reports)
		}
		return err
	})
	if err != nil {
		return of, err
	}
	of.slots = slotsOf(of.series)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.known) >= tableKnown {
		clear(b.known)
	}
	b.known[device] = of
	return of, nil
}

// waitingRecords finds records that wait, for reports that came twice.
type waitingRecords struct {
	ctx    context.Context
	q      store.Queryer
	number int64
	more   []record // of the same transaction
	loaded bool
	all    []record
	err    error
}

func (w *waitingRecords) find(r *record) (record, bool) {
	same := func(x record) bool { return x.hasSeq && x.boot == r.boot && x.seq == r.seq }
	if i := slices.IndexFunc(w.more, same); i >= 0 {
		return w.more[i], true
	}
	if !w.loaded {
		w.loaded = true
		w.all, w.err = headOf(w.ctx, w.q, w.number)
	}
	i := slices.IndexFunc(w.all, same)
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
	// Each node has an order of its own, so that they do not wait for each other.
	rand.Shuffle(len(windows), func(i, k int) { windows[i], windows[k] = windows[k], windows[i] })
	for _, w := range windows { // one that is damaged keeps no other waiting
		if e := b.closeWindow(ctx, w.dev, w.hour); e != nil {
			err = errors.Join(err, fmt.Errorf("readings of device %d, hour %d: %w", w.dev, w.hour, e))
		}
	}
	if err != nil {
		return false, err
	}
	if more = len(windows) == tableAtOnce; more {
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
		closeReports, old, silent, tableAtOnce)
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
