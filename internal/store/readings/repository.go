// Package readings has the SQL of what devices measure. Reports wait in a journal until the hour
// that they are of is over, and are then packed into chunks, from which come the buckets of hours and
// days that charts are drawn from. Buckets of minutes are made when the chunks of a day are deleted.
//
// On SQLite all of it is in a file of its own, with a writer of its own, so that no burst of
// readings holds up a message. Reports that wait are in memory as well (journal.go). On
// PostgreSQL they wait in a table, so that all nodes see them.
package readings

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store"
)

// A Repository stores what devices measure. It is safe for concurrent use.
type Repository struct {
	db    *store.DB
	own   bool // db is closed with the repository
	codec chunk.Codec
	waiting
}

// waiting is where reports are until they are in chunks.
type waiting interface {
	// append stores reports. All of it is durable when it returns.
	append(ctx context.Context, device string, reports []domain.Report, now time.Time) (domain.Appended, error)
	// read calls fn with a view of one moment: the stored series of a device, its records that are in
	// no chunk, in no order, and all else by q. found is false if nothing is known of the device.
	read(ctx context.Context, device string, fn func(v view) error) (found bool, err error)
	// close packs what is due into chunks; everything if all is set. It reports whether there may
	// be more that is due.
	close(ctx context.Context, now time.Time, all bool) (more bool, err error)
	// erase deletes everything of a device.
	erase(ctx context.Context, device string) error
}

// A view is what read has of a device.
type view struct {
	q       store.Queryer
	number  int64
	series  []series
	waiting []record
}

//go:embed sql
var schema embed.FS

// OpenFile opens the SQLite file at o.Path, and reads the journal in it. A tool does not: it may copy
// and check the file, and nothing else.
func OpenFile(ctx context.Context, o store.Options) (*Repository, error) {
	var err error
	if o.Schema, err = fs.Sub(schema, "sql"); err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	repo := &Repository{db: db, own: true}
	j := newJournal(repo)
	repo.waiting = j
	if o.Tool {
		return repo, nil // nothing is read or written but the file as a whole
	}
	if err := j.replay(ctx); err != nil {
		_ = db.Close() // what went wrong is told already
		return nil, err
	}
	return repo, nil
}

// DB is the database that the repository is in.
func (repo *Repository) DB() *store.DB { return repo.db }

// Append stores what is new of the reports of a device, and returns once it is durable. It
// fails with unavailable if nothing was stored.
func (repo *Repository) Append(
	ctx context.Context, device string, reports []domain.Report, now time.Time,
) (domain.Appended, error) {
	if err := ctx.Err(); err != nil { // nobody waits for the answer
		return domain.Appended{}, err
	}
	return repo.append(ctx, device, reports, now)
}

// Close packs the reports that have waited for long enough into chunks. It reports whether more
// are due. With all, it packs every report that waits.
func (repo *Repository) Close(ctx context.Context, now time.Time, all bool) (more bool, err error) {
	return repo.close(ctx, now, all)
}

// Erase deletes everything that is stored of a device. If the device goes on, it begins anew.
func (repo *Repository) Erase(ctx context.Context, device string) error {
	return repo.erase(ctx, device)
}

const seriesColumns = `id, name, unit, kind, last_at, last_number, last_text`

func scanSeries(rows *sql.Rows) (s series, err error) {
	var kind int64
	var number float64
	var text string
	if err := rows.Scan(&s.id, &s.name, &s.unit, &kind, &s.lastAt, &number, &text); err != nil {
		return s, err
	}
	s.kind = domain.ValueKind(kind)
	switch s.kind {
	case domain.BoolValue:
		s.last = domain.Bool(number != 0)
	case domain.TextValue:
		s.last = domain.Text(text)
	default:
		s.last = domain.Number(number)
	}
	return s, nil
}

// seriesOf returns the series of a device by their slots.
func seriesOf(ctx context.Context, q store.Queryer, dev int64) ([]series, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+seriesColumns+` FROM reading_series WHERE dev = $1 ORDER BY slot`, dev)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanSeries)
}

// numberOf returns the number of a device; 0: it has none.
func numberOf(ctx context.Context, q store.Queryer, device string) (int64, error) {
	rows, err := q.QueryContext(ctx, `SELECT id FROM reading_devices WHERE device = $1`, device)
	if err != nil {
		return 0, err
	}
	ids, err := store.Collect(rows, store.ScanInt64)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return ids[0], nil
}

// numbersOf returns the numbers of reports that are stored as having come.
func numbersOf(ctx context.Context, q store.Queryer, dev int64) (numbers, error) {
	type row struct{ boot, first, last, touched int64 }
	rows, err := q.QueryContext(ctx, `SELECT boot, first, last, touched FROM reading_ranges WHERE dev = $1
		ORDER BY boot, first`, dev)
	if err != nil {
		return nil, err
	}
	all, err := store.Collect(rows, func(rows *sql.Rows) (r row, err error) {
		err = rows.Scan(&r.boot, &r.first, &r.last, &r.touched)
		return r, err
	})
	n := make(numbers)
	for _, r := range all {
		n.stored(r.boot, r.first, r.last, r.touched)
	}
	return n, err
}

// addSeries makes the series that names lack, and stores units that have changed. It is told
// those that there are, and returns those that there are now.
func addSeries(ctx context.Context, t *store.Tx, dev int64, reports []domain.Report) ([]series, error) {
	all, err := seriesOf(ctx, t, dev)
	if err != nil {
		return nil, err
	}
	slots := slotsOf(all)
	for _, report := range reports {
		for _, r := range report.Readings {
			slot, ok := slots[r.Name]
			switch {
			case !ok:
				s := series{name: r.Name, unit: r.Unit, kind: r.Value.Kind}
				err := t.QueryRowContext(ctx, `INSERT INTO reading_series (dev, slot, name, unit, kind)
					VALUES ($1, $2, $3, $4, $5) RETURNING id`, dev, len(all), s.name, s.unit, int64(s.kind)).Scan(&s.id)
				if err != nil {
					return nil, err
				}
				slots[r.Name] = uint32(len(all))
				all = append(all, s)
			case r.Unit != "" && r.Unit != all[slot].unit:
				all[slot].unit = r.Unit
				if _, err := t.ExecContext(ctx, `UPDATE reading_series SET unit = $2 WHERE id = $1`, all[slot].id,
					r.Unit); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

func slotsOf(all []series) map[string]uint32 {
	slots := make(map[string]uint32, len(all))
	for i, s := range all {
		slots[s.name] = uint32(i)
	}
	return slots
}

// unknown reports whether addSeries has something to do.
func unknown(all []series, slots map[string]uint32, reports []domain.Report) bool {
	for _, report := range reports {
		for _, r := range report.Readings {
			slot, ok := slots[r.Name]
			if !ok || r.Unit != "" && r.Unit != all[slot].unit {
				return true
			}
		}
	}
	return false
}

// recordOf returns a report as it waits for its chunk.
func recordOf(report *domain.Report, slots map[string]uint32) record {
	r := record{at: report.At.UnixMilli(), quality: report.Quality, hasSeq: report.HasSeq, boot: report.Boot,
		seq: report.Seq, values: make([]slotValue, len(report.Readings))}
	for i, reading := range report.Readings {
		r.values[i] = slotValue{slots[reading.Name], reading.Value}
	}
	return r
}

// Watch registers how much of a SQLite file waits to be packed, and how much room the file takes.
func (repo *Repository) Watch(reg prometheus.Registerer) {
	j, ok := repo.waiting.(*journal)
	if !ok {
		return
	}
	gauge := func(name, help string, of func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, of)
	}
	reg.MustRegister(
		gauge("telemetry_waiting_bytes", "Bytes of readings in memory that are not packed yet.", func() float64 {
			j.mu.Lock()
			defer j.mu.Unlock()
			return float64(j.bytes)
		}),
		gauge("telemetry_devices", "Devices whose readings are in memory.", func() float64 {
			j.mu.Lock()
			defer j.mu.Unlock()
			return float64(len(j.devices))
		}),
		gauge("telemetry_store_bytes", "Size of the file of readings.", func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			u, _ := repo.db.Usage(ctx) // 0 while it does not answer
			return float64(u.Bytes)
		}),
	)
}

// Queues tells what waits to be written.
func (repo *Repository) Queues() []obs.Queue {
	if b, ok := repo.waiting.(*table); ok {
		return b.lane.Queues()
	}
	qs := repo.db.Queues()
	for i := range qs {
		qs[i].Name = "reading_" + qs[i].Name
	}
	return qs
}

// Ping fails if the database does not answer, or if its file was removed or replaced.
func (repo *Repository) Ping(ctx context.Context) error { return repo.db.Ping(ctx) }

// End commits what was accepted and closes the file. No method may be called after it. On
// PostgreSQL the database stays open: it belongs to others.
func (repo *Repository) End() error {
	if repo.own {
		return repo.db.Close()
	}
	return nil
}
