// Package tsdbtest measures how readings are stored beside Prometheus' TSDB, on the same data in the same
// run. It is a module of its own, so that nothing else depends on Prometheus.
package tsdbtest

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/readings"
)

const (
	devices = 64
	hours   = 24
	each    = 8 // reports of a device in a group
	groups  = hours * 360 / each
	total   = devices * groups * each * 5
)

var begin = time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)

// measured is report number i of a device: five sensors each 10 s, with the noise of real ones.
func measured(random *rand.Rand, device, i int) domain.Report {
	at := begin.Add(time.Duration(i)*10*time.Second + time.Duration(random.NormFloat64()*0.7*float64(time.Millisecond)))
	wave := math.Sin(float64(i)/1400 + float64(device))
	round := func(v, to float64) domain.Value { return domain.Number(math.Round(v*to) / to) }
	return domain.Report{At: at.Truncate(time.Millisecond), Boot: 1, Seq: uint32(i), HasSeq: true,
		Readings: []domain.Reading{
			{Name: "temperature", Value: round(21+wave+random.NormFloat64()*0.02, 100)},
			{Name: "humidity", Value: round(55-wave+random.NormFloat64()*0.1, 10)},
			{Name: "pressure", Value: round(1013+wave+random.NormFloat64()*0.04, 10)},
			{Name: "co2", Value: round(600+50*wave+random.NormFloat64()*3, 1)},
			{Name: "relay", Value: domain.Bool(i/180%2 == 0)},
		}}
}

// all are groups of reports, of each device, ascending.
func all() [][][]domain.Report {
	random := rand.New(rand.NewPCG(1, 2))
	out := make([][][]domain.Report, groups)
	for g := range out {
		out[g] = make([][]domain.Report, devices)
		for d := range devices {
			for i := range each {
				out[g][d] = append(out[g][d], measured(random, d, g*each+i))
			}
		}
	}
	return out
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func report(b *testing.B, used time.Duration, bytes int64) {
	b.Helper()
	b.ReportMetric(float64(used.Nanoseconds())/total, "cpu-ns/reading")
	b.ReportMetric(float64(bytes)/total, "bytes/reading")
	b.ReportMetric(0, "ns/op")
}

// sizeOf is the size of the files in a folder, those that match.
func sizeOf(b *testing.B, dir string, match func(path string) bool) (n int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !match(path) {
			return err
		}
		info, err := d.Info()
		n += info.Size()
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkReadings commits each group, as when many devices report at once, and packs each hour.
func BenchmarkReadings(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		repo, err := readings.OpenFile(b.Context(), store.Options{Path: filepath.Join(dir, "readings.db"),
			Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		data := all()
		used := processorTime()
		for g, group := range data {
			done := make(chan error, devices)
			for d, reports := range group {
				go func() {
					_, err := repo.Append(b.Context(), fmt.Sprint("dev_", d), reports, begin)
					done <- err
				}()
			}
			for range group {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			for more := g%45 == 44; more; {
				if more, err = repo.Close(b.Context(), begin, true); err != nil {
					b.Fatal(err)
				}
			}
		}
		for more := true; more; { // as the server does while it runs
			if more, err = repo.Compact(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		used = processorTime() - used
		if err := repo.End(); err != nil {
			b.Fatal(err)
		}
		report(b, used, sizeOf(b, dir, func(path string) bool { return strings.HasSuffix(path, "readings.db") }))
	}
}

// BenchmarkTSDB appends the same groups, and cuts blocks when Prometheus would. Its commits wait for no disk.
func BenchmarkTSDB(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		db, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, tsdb.DefaultOptions(), nil)
		if err != nil {
			b.Fatal(err)
		}
		db.DisableCompactions() // here they are made where they are counted
		series := make([]labels.Labels, devices*5)
		refs := make([]storage.SeriesRef, devices*5)
		data := all()
		for d := range devices {
			for i, r := range data[0][0][0].Readings {
				series[d*5+i] = labels.FromStrings("__name__", "reading", "device", fmt.Sprint("dev_", d), "series", r.Name)
			}
		}
		used := processorTime()
		for g, group := range data {
			app := db.Appender(context.Background())
			for d, reports := range group {
				for _, r := range reports {
					for i, reading := range r.Readings {
						at := d*5 + i
						if refs[at], err = app.Append(refs[at], series[at], r.At.UnixMilli(), reading.Value.Float()); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			if err := app.Commit(); err != nil {
				b.Fatal(err)
			}
			if g%45 == 44 {
				if err := db.Compact(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := db.CompactHead(tsdb.NewRangeHead(db.Head(), db.Head().MinTime(), db.Head().MaxTime())); err != nil {
			b.Fatal(err)
		}
		used = processorTime() - used
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		blocks := func(path string) bool {
			return !strings.Contains(path, string(os.PathSeparator)+"wal") && !strings.Contains(path, "chunks_head")
		}
		report(b, used, sizeOf(b, dir, blocks))
	}
}
