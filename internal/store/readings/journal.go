package readings

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// When a builder is closed.
const (
	closeReports = 512
	closeAge     = time.Hour
	closeSilence = 10 * time.Minute
	closeAtOnce  = 128      // windows in one commit
	maxWaiting   = 64 << 20 // bytes of all builders; while there are more, any are closed
	idleDevice   = time.Hour
)

// A journal is where reports wait on SQLite. Each commit is one row of reading_journal. What the
// rows hold that no chunk has yet is also in memory, in builders: one for each device and hour.
//
// A chunk says up to which row it has the reports of its window, so that replay knows which of the
// rows are still needed. Row ids must therefore never be used again: the last row is never
// deleted.
type journal struct {
	repo *Repository
	db   *store.DB
	most int // maxWaiting, or less in tests

	mu      sync.Mutex
	devices map[string]*device
	held    map[int64]int // rows that are needed: by how many builders, and appends on their way
	bytes   int           // of all builders
}

// A device is what is in memory of one device. A method of journal that needs several locks takes
// those of devices first, then mu.
type device struct {
	mu      sync.RWMutex
	gone    bool // it was erased, or forgotten by the cache: look it up again
	id      string
	number  int64
	series  []series
	slots   map[string]uint32
	numbers numbers
	dirty   map[uint64]bool // boots whose stored ranges are not up to date
	open    map[int64]*builder
	used    time.Time
}

// A builder has the reports of one device and hour that are in no chunk.
type builder struct {
	records        []byte
	count          int
	first, last    int64 // rows of the journal that they are in
	since, touched time.Time
}

func newJournal(repo *Repository) *journal {
	return &journal{repo: repo, db: repo.db, most: maxWaiting, devices: make(map[string]*device),
		held: make(map[int64]int)}
}

// lock returns the device, locked for writing, and makes it if there is none.
func (j *journal) lock(ctx context.Context, id string, now time.Time) (*device, error) {
	for {
		d := j.cached(id)
		d.mu.Lock()
		if d.gone {
			d.mu.Unlock()
			continue
		}
		d.used = now
		if d.number != 0 {
			return d, nil
		}
		err := j.load(ctx, d)
		if err == nil && d.number == 0 {
			err = j.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
				return t.QueryRowContext(ctx, `INSERT INTO reading_devices (device) VALUES ($1) RETURNING id`, id).Scan(&d.number)
			})
		}
		if err != nil {
			j.drop(d)
			d.mu.Unlock()
			return nil, err
		}
		return d, nil
	}
}

func (j *journal) cached(id string) *device {
	j.mu.Lock()
	defer j.mu.Unlock()
	d := j.devices[id]
	if d == nil {
		d = &device{id: id, slots: make(map[string]uint32), numbers: make(numbers), dirty: make(map[uint64]bool),
			open: make(map[int64]*builder)}
		j.devices[id] = d
	}
	return d
}

// drop takes a device out of the cache. The caller holds its lock.
func (j *journal) drop(d *device) {
	j.mu.Lock()
	defer j.mu.Unlock()
	d.gone = true
	if j.devices[d.id] == d {
		delete(j.devices, d.id)
	}
}

// load reads what is stored of a device. number stays 0 if that is nothing.
func (j *journal) load(ctx context.Context, d *device) (err error) {
	number, err := numberOf(ctx, j.db, d.id)
	if err != nil || number == 0 {
		return err
	}
	if d.series, err = seriesOf(ctx, j.db, number); err != nil {
		return err
	}
	if d.numbers, err = numbersOf(ctx, j.db, number); err != nil {
		return err
	}
	d.number, d.slots = number, slotsOf(d.series)
	return nil
}

func (j *journal) append(
	ctx context.Context, id string, reports []domain.Report, now time.Time,
) (domain.Appended, error) {
	d, err := j.lock(ctx, id, now)
	if err != nil {
		return domain.Appended{}, err
	}
	defer d.mu.Unlock()
	if unknown(d.series, d.slots, reports) {
		err := j.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			all, err := addSeries(ctx, t, d.number, reports)
			if err == nil {
				d.series, d.slots = merged(d.series, all), slotsOf(all)
			}
			return err
		})
		if err != nil {
			j.drop(d)
			return domain.Appended{}, err
		}
	}
	sel := choose(reports, d.slots, d.numbers, d.waits)
	if len(sel.records) > 0 {
		if err := j.commit(ctx, d, &sel, now); err != nil {
			return domain.Appended{}, err
		}
	}
	return sel.acknowledge(reports, d.numbers), nil
}

// merged returns the series as they are stored now, with the last values that memory has.
func merged(cached, stored []series) []series {
	for i, s := range cached {
		stored[i].last, stored[i].lastAt, stored[i].kind = s.last, s.lastAt, s.kind
	}
	return stored
}

// waits finds the record of a number, if it is of the same hour and in no chunk.
func (d *device) waits(r *record) (record, bool) {
	b := d.open[r.hour()]
	if b == nil {
		return record{}, false
	}
	all, _ := readRecords(b.records) // this process has written them
	i := slices.IndexFunc(all, func(x record) bool { return x.hasSeq && x.boot == r.boot && x.seq == r.seq })
	if i < 0 {
		return record{}, false
	}
	return all[i], true
}

// An entry is the part of a journal's row that one append has written.
type entry struct {
	body []byte // the number of the device, and the records with their length
	row  int64
}

// commit writes what is new to the journal, and then adds it to the builders.
func (j *journal) commit(ctx context.Context, d *device, sel *selection, now time.Time) error {
	var records []byte
	ends := make([]int, len(sel.records))
	for i := range sel.records {
		records = appendRecord(records, &sel.records[i])
		ends[i] = len(records)
	}
	body := binary.AppendUvarint(nil, uint64(d.number))
	body = binary.AppendUvarint(body, uint64(len(records)))
	e := &entry{body: append(body, records...)}
	err := j.db.WriteItem(ctx, j, &store.Item{Value: e})
	defer j.release(e.row)
	if err != nil {
		return err
	}
	from := 0
	for i := range sel.records {
		j.build(d, &sel.records[i], records[from:ends[i]], e.row, now)
		from = ends[i]
	}
	for _, b := range d.numbers.keep(sel.changed, now.UnixMilli()) {
		d.dirty[b] = true
	}
	return nil
}

// WriteBatch implements store.BatchWriter: all entries become one row.
func (j *journal) WriteBatch(ctx context.Context, t *store.Tx, items []*store.Item, _ bool) error {
	size := 0
	for _, item := range items {
		size += len(item.Value.(*entry).body)
	}
	body := make([]byte, 0, size)
	for _, item := range items {
		body = append(body, item.Value.(*entry).body...)
	}
	var row int64
	err := t.QueryRowContext(ctx, `INSERT INTO reading_journal (body) VALUES ($1) RETURNING id`, body).Scan(&row)
	if err != nil {
		return err
	}
	for _, item := range items {
		e := item.Value.(*entry)
		j.release(e.row) // of a try before
		e.row = row
		j.hold(row)
	}
	return nil
}

// PipelineBatch implements store.BatchWriter.
func (j *journal) PipelineBatch(context.Context, *store.Tx, []*store.Item, bool, func()) error {
	return errors.New("a journal is on SQLite alone")
}

// hold keeps a row from being deleted until as many calls of release.
func (j *journal) hold(row int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held[row]++
}

func (j *journal) release(row int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if row == 0 {
		return
	}
	if j.held[row]--; j.held[row] == 0 {
		delete(j.held, row)
	}
}

// build adds a record, as encoded, to the builder of its hour. The caller holds the device's lock.
func (j *journal) build(d *device, r *record, encoded []byte, row int64, now time.Time) {
	b := d.open[r.hour()]
	if b == nil {
		b = &builder{first: row, since: now}
		d.open[r.hour()] = b
		j.hold(row)
	}
	b.records = append(b.records, encoded...)
	b.count++
	b.last, b.touched = row, now
	j.mu.Lock()
	j.bytes += len(encoded)
	j.mu.Unlock()
	for _, v := range r.values {
		if s := &d.series[v.slot]; r.at >= s.lastAt {
			s.lastAt, s.last, s.kind = r.at, v.value, v.value.Kind
		}
	}
}

func (j *journal) read(ctx context.Context, id string, fn func(view) error) (bool, error) {
	for {
		d := j.cached(id)
		d.mu.Lock()
		if d.gone {
			d.mu.Unlock()
			continue
		}
		if d.number == 0 {
			if err := j.load(ctx, d); err != nil || d.number == 0 {
				j.drop(d) // nobody's name must stay in memory
				d.mu.Unlock()
				return false, err
			}
		}
		d.mu.Unlock()
		d.mu.RLock()
		if d.gone {
			d.mu.RUnlock()
			continue
		}
		defer d.mu.RUnlock()
		v := view{number: d.number, series: slices.Clone(d.series)}
		for _, b := range d.open {
			rs, err := readRecords(b.records)
			if err != nil {
				return true, err
			}
			v.waiting = append(v.waiting, rs...)
		}
		return true, j.db.Snapshot(ctx, func(q store.Queryer) error {
			v.q = q
			return fn(v)
		})
	}
}
