package readings

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
)

var t0 = time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)

// A place is where a test has its readings. Opened again, it has what was stored.
type place struct{ store.Options }

// eachPlace runs fn once on SQLite and once on PostgreSQL.
func eachPlace(t *testing.T, fn func(t *testing.T, p place)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { fn(t, sqlite(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, place{testkit.Postgres(t)}) })
}

// sqlite is a file of its own, which has another schema than the store.
func sqlite(t *testing.T) place { return place{testkit.NewFile(t)} }

func (p place) open(t *testing.T) *Repository {
	t.Helper()
	if p.URL == "" {
		repo, err := OpenFile(t.Context(), p.Options)
		if err != nil {
			t.Fatal(err)
		}
		return repo
	}
	db, err := store.Open(t.Context(), p.Options)
	if err != nil {
		t.Fatal(err)
	}
	return On(db)
}

// report is a numbered report of two sensors.
func report(boot uint64, seq uint32, at time.Time) domain.Report {
	return domain.Report{At: at, Boot: boot, Seq: seq, HasSeq: true, Readings: []domain.Reading{
		{Name: "temperature", Unit: "Cel", Value: domain.Number(20 + float64(seq%100)/10)},
		{Name: "relay", Value: domain.Bool(seq%2 == 0)},
	}}
}

// reports are those of numbers [from, to), 10 s apart.
func reports(boot uint64, from, to uint32, begin time.Time) (rs []domain.Report) {
	for seq := from; seq < to; seq++ {
		rs = append(rs, report(boot, seq, begin.Add(time.Duration(seq)*10*time.Second)))
	}
	return rs
}

func must(t *testing.T, repo *Repository, device string, rs []domain.Report) domain.Appended {
	t.Helper()
	a, err := repo.Append(t.Context(), device, rs, t0)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func closeAll(t *testing.T, repo *Repository) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = repo.Close(t.Context(), t0, true); err != nil {
			t.Fatal(err)
		}
	}
}

// times are those of all points of a series.
func times(t *testing.T, repo *Repository, device, series string) (at []time.Time) {
	t.Helper()
	points, err := repo.Points(t.Context(), device, []string{series}, t0.Add(-1000*time.Hour), t0.Add(1000*time.Hour),
		1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range points[series] {
		at = append(at, p.At)
	}
	return at
}

// checkAll holds that exactly the reports of [0, n) are there, once each.
func checkAll(t *testing.T, repo *Repository, device string, n uint32, begin time.Time) {
	t.Helper()
	points, err := repo.Points(t.Context(), device, []string{"temperature", "relay"}, begin, begin.Add(1000*time.Hour),
		1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, series := range []string{"temperature", "relay"} {
		if len(points[series]) != int(n) {
			t.Fatalf("%s has %d points, want %d", series, len(points[series]), n)
		}
	}
	for i, p := range points["temperature"] {
		want := report(1, uint32(i), begin.Add(time.Duration(i)*10*time.Second))
		if !p.At.Equal(want.At) || p.Value != want.Readings[0].Value || points["relay"][i].Value != want.Readings[1].Value {
			t.Fatalf("point %d is %+v", i, p)
		}
	}
}

// kill ends a repository as a killed process would: nothing of its memory is written.
func (repo *Repository) kill() { _ = repo.db.Close() }
