//go:build unix

package readings

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

const (
	benchDevices = 64
	benchSensors = 5
	benchGroup   = 512 // reports in one commit
)

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measured is report number i of a device: five sensors each 10 s, with the noise of real ones.
func measured(random *rand.Rand, device, i int) domain.Report {
	at := t0.Add(time.Duration(i)*10*time.Second + time.Duration(random.NormFloat64()*0.7*float64(time.Millisecond)))
	wave := math.Sin(float64(i)/1400 + float64(device))
	round := func(v, to float64) domain.Value { return domain.Number(math.Round(v*to) / to) }
	return domain.Report{At: at, Boot: 1, Seq: uint32(i), HasSeq: true, Readings: []domain.Reading{
		{Name: "temperature", Value: round(21+wave+random.NormFloat64()*0.02, 100)},
		{Name: "humidity", Value: round(55-wave+random.NormFloat64()*0.1, 10)},
		{Name: "pressure", Value: round(1013+wave+random.NormFloat64()*0.04, 10)},
		{Name: "co2", Value: round(600+50*wave+random.NormFloat64()*3, 1)},
		{Name: "relay", Value: domain.Bool(i/180%2 == 0)},
	}}
}

// groups are what the devices report, 8 reports of each in a group.
func groups(n int) [][][]domain.Report {
	random := rand.New(rand.NewPCG(1, 2))
	const each = benchGroup / benchDevices
	all := make([][][]domain.Report, 0, n)
	for g := range n {
		group := make([][]domain.Report, benchDevices)
		for d := range group {
			for i := range each {
				group[d] = append(group[d], measured(random, d, g*each+i))
			}
		}
		all = append(all, group)
	}
	return all
}

// report tells the processor time and the size of the file, by reading.
func reportReadings(b *testing.B, used time.Duration, db *sql.DB, groups int) {
	b.Helper()
	n := float64(groups) * benchGroup * benchSensors
	b.ReportMetric(float64(used.Nanoseconds())/n, "cpu-ns/reading")
	b.ReportMetric(float64(sizeOf(b, db))/n, "bytes/reading")
	b.ReportMetric(0, "ns/op")
}

// sizeOf is the size of a file without what is free in it.
func sizeOf(b *testing.B, db *sql.DB) int64 {
	b.Helper()
	if _, err := db.ExecContext(context.Background(), `VACUUM`); err != nil {
		b.Fatal(err)
	}
	var pages, size int64
	if err := db.QueryRowContext(context.Background(), `SELECT page_count, page_size FROM pragma_page_count(),
		pragma_page_size()`).Scan(&pages, &size); err != nil {
		b.Fatal(err)
	}
	return pages * size
}

// benchGroups is how many groups are written whatever b.N is: 1.3 million readings.
const benchGroups = 512

// BenchmarkReadings takes readings in groups of 512 reports, and packs what is due after each eighth
// group, as each hour in real time. The processor time has all of it: checks of numbers, the journal,
// chunks and buckets.
func BenchmarkReadings(b *testing.B) {
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "readings.db")
		repo, err := OpenFile(b.Context(), store.Options{Path: path, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		all := groups(benchGroups)
		begin := processorTime()
		for i, group := range all {
			var wg sync.WaitGroup
			for d, reports := range group {
				wg.Go(func() {
					if _, err := repo.Append(b.Context(), fmt.Sprint("dev_", d), reports, t0); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
			if i%45 == 44 { // an hour: 45 groups of 8 reports each 10 s
				closeBench(b, repo)
			}
		}
		closeBench(b, repo)
		used := processorTime() - begin
		if err := repo.End(); err != nil {
			b.Fatal(err)
		}
		db := openBench(b, path)
		reportReadings(b, used, db, benchGroups)
		_ = db.Close() // before it is opened again
		forgetBench(b, path)
	}
}

// forgetBench reports how much is left once single values are deleted, by each of them.
func forgetBench(b *testing.B, path string) {
	b.Helper()
	repo, err := OpenFile(b.Context(), store.Options{Path: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	begin := processorTime()
	for more := true; more; {
		if more, err = repo.Forget(b.Context(), domain.Raw, t0.Add(1000*time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
	n := float64(benchGroups) * benchGroup * benchSensors
	b.ReportMetric(float64((processorTime()-begin).Nanoseconds())/n, "forget-ns/reading")
	if err := repo.End(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(sizeOf(b, openBench(b, path)))/n, "minutes-bytes/reading")
}

func closeBench(b *testing.B, repo *Repository) {
	b.Helper()
	for more := true; more; {
		var err error
		if more, err = repo.Close(b.Context(), t0, true); err != nil {
			b.Fatal(err)
		}
	}
}

func openBench(b *testing.B, path string) *sql.DB {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	b.Cleanup(func() { _ = db.Close() })
	return db
}

// BenchmarkBareInsert inserts the same readings as rows, without any key, in the same groups.
func BenchmarkBareInsert(b *testing.B) {
	for b.Loop() {
		db := openBench(b, filepath.Join(b.TempDir(), "bare.db"))
		if _, err := db.ExecContext(b.Context(), `CREATE TABLE r (series INTEGER, at INTEGER, v REAL)`); err != nil {
			b.Fatal(err)
		}
		insert, err := db.PrepareContext(b.Context(), `INSERT INTO r VALUES (?, ?, ?)`)
		if err != nil {
			b.Fatal(err)
		}
		all := groups(benchGroups)
		begin := processorTime()
		for _, group := range all {
			tx, err := db.BeginTx(b.Context(), nil)
			if err != nil {
				b.Fatal(err)
			}
			in := tx.StmtContext(b.Context(), insert)
			for d, reports := range group {
				for _, r := range reports {
					for i, reading := range r.Readings {
						if _, err := in.ExecContext(b.Context(), d*benchSensors+i, r.At.UnixMilli(), reading.Value.Float()); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			if err := tx.Commit(); err != nil {
				b.Fatal(err)
			}
		}
		reportReadings(b, processorTime()-begin, db, benchGroups)
	}
}

// BenchmarkChart reads 30 days of one series into 500 stretches, from the buckets that are stored, and
// single values of a day.
func BenchmarkChart(b *testing.B) {
	repo, err := OpenFile(b.Context(), store.Options{Path: filepath.Join(b.TempDir(), "readings.db"),
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = repo.End() })
	random := rand.New(rand.NewPCG(1, 2))
	const perDay = 8640
	for day := range 30 {
		var reports []domain.Report
		for i := range perDay {
			reports = append(reports, measured(random, 0, day*perDay+i))
		}
		if _, err := repo.Append(b.Context(), "dev_a", reports, t0); err != nil {
			b.Fatal(err)
		}
		closeBench(b, repo)
	}
	for _, c := range []struct {
		name string
		span time.Duration
		step time.Duration
	}{
		{"30d-hours", 30 * 24 * time.Hour, 2 * time.Hour}, {"30d-minutes", 30 * 24 * time.Hour, 10 * time.Minute},
		{"30d-single", 30 * 24 * time.Hour, 30 * time.Second}, {"1d-single", 24 * time.Hour, 30 * time.Second},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				bs, err := repo.Buckets(b.Context(), "dev_a", []string{"temperature"}, t0, t0.Add(c.span), c.step, domain.Raw)
				if err != nil || len(bs["temperature"]) < 100 {
					b.Fatal(len(bs["temperature"]), err)
				}
			}
		})
	}
}
