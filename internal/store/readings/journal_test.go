package readings

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
	testkit.Each(t, func(t *testing.T, o store.Options) { fn(t, place{o}) })
}

func sqlite(t *testing.T) place { return place{testkit.SQLite(t)} }

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
	points, err := repo.Points(t.Context(), device, []string{series}, t0.Add(-1000*time.Hour), t0.Add(1000*time.Hour), 1<<30)
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
	points, err := repo.Points(t.Context(), device, []string{"temperature", "relay"}, begin, begin.Add(1000*time.Hour), 1<<30)
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

func TestAnAcknowledgedReportIsThereOnceAfterAKill(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		const n = 1500
		repo := p.open(t)
		for from := uint32(0); from < n; from += 100 {
			must(t, repo, "dev_a", reports(1, from, from+100, t0))
			if from == 700 {
				closeAll(t, repo)
			}
			// the answer was lost: the device sends again, before and after a restart
			if a := must(t, repo, "dev_a", reports(1, from, from+100, t0)); a.Duplicate != 100 || a.Accepted != 0 {
				t.Fatalf("sent again: %+v", a)
			}
			if from%300 == 0 {
				repo.kill()
				repo = p.open(t)
				a := must(t, repo, "dev_a", reports(1, 0, from+100, t0))
				if a.Duplicate != int(from)+100 || a.Accepted != 0 || *a.AckedThrough != from+99 || len(a.Missing) > 0 {
					t.Fatalf("sent again after a restart: %+v", a)
				}
			}
			checkAll(t, repo, "dev_a", from+100, t0)
		}
		closeAll(t, repo)
		checkAll(t, repo, "dev_a", n, t0)
		repo.kill()
		repo = p.open(t)
		checkAll(t, repo, "dev_a", n, t0)
		repo.kill()
	})
}

// kill ends a repository as a killed process would: nothing of its memory is written.
func (repo *Repository) kill() { _ = repo.db.Close() }

// TestAKillBetweenClosingAndTrimmingDoublesNothing keeps the rows of the journal that a closing would delete.
func TestAKillBetweenClosingAndTrimmingDoublesNothing(t *testing.T) {
	t.Parallel()
	p := sqlite(t)
	repo := p.open(t)
	must(t, repo, "dev_a", reports(1, 0, 100, t0))
	must(t, repo, "dev_b", reports(1, 0, 1, t0)) // keeps its row
	must(t, repo, "dev_a", reports(1, 100, 200, t0))
	raw := testkit.Raw(t, p.Options)
	if _, err := raw.ExecContext(t.Context(), `CREATE TABLE kept AS SELECT * FROM reading_journal`); err != nil {
		t.Fatal(err)
	}
	closeAll(t, repo)
	repo.kill()
	if _, err := raw.ExecContext(t.Context(), `INSERT OR IGNORE INTO reading_journal SELECT * FROM kept`); err != nil {
		t.Fatal(err)
	}
	repo = p.open(t)
	checkAll(t, repo, "dev_a", 200, t0)
	must(t, repo, "dev_a", reports(1, 200, 300, t0))
	closeAll(t, repo)
	checkAll(t, repo, "dev_a", 300, t0)
	var rows int
	if err := raw.QueryRowContext(t.Context(), `SELECT count(*) FROM reading_journal`).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows are left of the journal, %v; want the last one", rows, err)
	}
	repo.kill()
}

func TestABuilderIsClosedWhenItIsFullOldOrSilent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n     uint32
		after time.Duration
		due   bool
	}{
		{10, 9 * time.Minute, false}, {10, 10 * time.Minute, true}, {511, time.Minute, false}, {512, time.Minute, true},
	} {
		repo := sqlite(t).open(t)
		begin := t0
		for i := range c.n { // all within an hour
			must(t, repo, "dev_a", []domain.Report{report(1, i, begin.Add(time.Duration(i)*time.Second))})
		}
		if _, err := repo.Close(t.Context(), t0.Add(c.after), false); err != nil {
			t.Fatal(err)
		}
		var chunks int
		if err := repo.db.QueryRowContext(t.Context(), `SELECT count(*) FROM reading_chunks`).Scan(&chunks); err != nil {
			t.Fatal(err)
		}
		if closed := chunks > 0; closed != c.due {
			t.Errorf("%d reports after %v: closed %v", c.n, c.after, closed)
		}
		repo.kill()
	}
}

func TestABuilderThatNeverRestsIsClosedAfterAnHour(t *testing.T) {
	t.Parallel()
	repo := sqlite(t).open(t)
	defer repo.kill()
	for i := range uint32(13) {
		now := t0.Add(time.Duration(i) * 5 * time.Minute)
		if _, err := repo.Append(t.Context(), "dev_a", []domain.Report{report(1, i, t0.Add(time.Duration(i)*time.Second))},
			now); err != nil {
			t.Fatal(err)
		}
		if _, err := repo.Close(t.Context(), now, false); err != nil {
			t.Fatal(err)
		}
	}
	var chunks int
	if err := repo.db.QueryRowContext(t.Context(), `SELECT count(*) FROM reading_chunks`).Scan(&chunks); err != nil ||
		chunks != 1 {
		t.Errorf("%d chunks, %v", chunks, err)
	}
}

func TestGapsAreToldAndFilled(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		a := must(t, repo, "dev_a", []domain.Report{report(7, 3, t0), report(7, 4, t0), report(7, 9, t0)})
		if a.AckedThrough != nil || fmt.Sprint(a.Missing) != "[[0 2] [5 8]]" {
			t.Errorf("%+v", a)
		}
		a = must(t, repo, "dev_a", reports(7, 0, 4, t0))
		if *a.AckedThrough != 4 || fmt.Sprint(a.Missing) != "[[5 8]]" || a.Accepted != 3 || a.Duplicate != 1 {
			t.Errorf("%+v", a)
		}
		if a = must(t, repo, "dev_a", reports(7, 5, 9, t0)); *a.AckedThrough != 9 || len(a.Missing) > 0 {
			t.Errorf("%+v", a)
		}
		if a = must(t, repo, "dev_a", reports(8, 1, 2, t0)); a.AckedThrough != nil || fmt.Sprint(a.Missing) != "[[0 0]]" {
			t.Errorf("another boot: %+v", a)
		}
	})
}

func TestGapsAreBounded(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		var rs []domain.Report
		for i := range uint32(maxIntervals + 10) {
			rs = append(rs, report(1, 2*i, t0.Add(time.Duration(i)*time.Second)))
		}
		a := must(t, repo, "dev_a", rs)
		if a.Accepted != maxIntervals || len(a.Refused) != 10 || a.Refused[0].Reason != domain.RefusedGaps ||
			len(a.Missing) != domain.MaxMissing {
			t.Errorf("accepted %d, refused %d, missing %d", a.Accepted, len(a.Refused), len(a.Missing))
		}
		// a number that closes a gap is taken, and so is another boot
		if a = must(t, repo, "dev_a", []domain.Report{report(1, 1, t0)}); a.Accepted != 1 {
			t.Errorf("%+v", a)
		}
		if a = must(t, repo, "dev_a", []domain.Report{report(2, 0, t0)}); a.Accepted != 1 {
			t.Errorf("%+v", a)
		}
	})
}

func TestOldBootsAreForgottenFirst(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		for b := range uint64(maxBoots + 1) {
			if _, err := repo.Append(t.Context(), "dev_a", []domain.Report{report(b, 0, t0)},
				t0.Add(time.Duration(b)*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		closeAll(t, repo)
		repo.kill()
		repo = p.open(t)
		defer repo.kill()
		for b, want := range map[uint64]int{1: 1, maxBoots: 1} {
			if a := must(t, repo, "dev_a", []domain.Report{report(b, 0, t0)}); a.Duplicate != want {
				t.Errorf("boot %d: %+v", b, a)
			}
		}
		var boots int
		if err := repo.db.QueryRowContext(t.Context(), `SELECT count(DISTINCT boot) FROM reading_ranges`).Scan(&boots); err != nil ||
			boots != maxBoots {
			t.Errorf("%d boots are stored, %v", boots, err)
		}
	})
}

func TestTheSameNumberWithOtherValuesIsAConflict(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		must(t, repo, "dev_a", reports(1, 0, 3, t0))
		other := report(1, 1, t0.Add(10*time.Second))
		other.Readings[0].Value = domain.Number(99)
		a := must(t, repo, "dev_a", []domain.Report{report(1, 0, t0), other})
		if a.Duplicate != 1 || len(a.Refused) != 1 || a.Refused[0].Reason != domain.RefusedConflict {
			t.Errorf("%+v", a)
		}
		twice := []domain.Report{report(1, 5, t0), report(1, 5, t0)}
		twice[1].Readings = twice[1].Readings[:1]
		if a := must(t, repo, "dev_a", twice); a.Accepted != 1 || len(a.Refused) != 1 {
			t.Errorf("within one request: %+v", a)
		}
	})
}

func TestLateReportsAreMergedIntoTheirHour(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		all := reports(1, 0, 720, t0) // two hours
		var early, late []domain.Report
		for i, r := range all {
			if i%3 == 0 {
				late = append(late, r)
			} else {
				early = append(early, r)
			}
		}
		must(t, repo, "dev_a", early)
		closeAll(t, repo)
		must(t, repo, "dev_a", late)
		checkAll(t, repo, "dev_a", 720, t0)
		before := chart(t, repo, time.Minute)
		closeAll(t, repo)
		checkAll(t, repo, "dev_a", 720, t0)
		want := bucketsByHand(all, time.Minute)
		if got := chart(t, repo, time.Minute); !slices.Equal(got, want) || !slices.Equal(before, want) {
			t.Errorf("minutes differ from what was measured")
		}
	})
}

// chart returns the buckets of the temperature.
func chart(t *testing.T, repo *Repository, step time.Duration) []domain.Bucket {
	t.Helper()
	bs, err := repo.Buckets(t.Context(), "dev_a", []string{"temperature"}, t0, t0.Add(1000*time.Hour), step, domain.Raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bs["temperature"] { // sums differ in the last bits
		b.Sum = rounded(b.Sum)
	}
	out := slices.Clone(bs["temperature"])
	for i := range out {
		out[i].Sum = rounded(out[i].Sum)
	}
	return out
}

// bucketsByHand summarises the temperature without any of the code that is tested.
func bucketsByHand(rs []domain.Report, step time.Duration) (out []domain.Bucket) {
	by := make(map[time.Time]*domain.Bucket)
	for _, r := range rs {
		at, v := time.UnixMilli(r.At.UnixMilli()/step.Milliseconds()*step.Milliseconds()).UTC(), r.Readings[0].Value.Number
		b := by[at]
		if b == nil {
			b = &domain.Bucket{At: at, First: v, Min: v, Max: v}
			by[at] = b
		}
		b.Count, b.Last, b.Min, b.Max, b.Sum = b.Count+1, v, min(b.Min, v), max(b.Max, v), b.Sum+v
	}
	for _, at := range slices.SortedFunc(maps.Keys(by), time.Time.Compare) {
		by[at].Sum = rounded(by[at].Sum)
		out = append(out, *by[at])
	}
	return out
}

func TestChartsAreThoseOfAllValues(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		all := reports(1, 0, 3*8640, t0) // three days
		for i := 0; i < len(all); i += 1000 {
			must(t, repo, "dev_a", all[i:min(i+1000, len(all))])
			if i%5000 == 0 {
				closeAll(t, repo)
			}
		}
		check := func(when string) {
			for _, step := range []time.Duration{7 * time.Second, time.Minute, 5 * time.Minute, time.Hour, 3 * time.Hour,
				24 * time.Hour} {
				if got, want := chart(t, repo, step), bucketsByHand(all, step); !slices.Equal(got, want) {
					t.Errorf("%s, %v: %d buckets, want %d; first %+v, want %+v", when, step, len(got), len(want), got[0], want[0])
				}
			}
		}
		check("while some wait")
		closeAll(t, repo)
		check("closed")
	})
}

func TestSeriesTellTheLatestValueOfAny(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		must(t, repo, "dev_a", reports(1, 0, 10, t0))
		must(t, repo, "dev_a", reports(2, 3, 4, t0)) // older than the newest
		check := func(when string) {
			got, err := repo.Series(t.Context(), "dev_a")
			want := []domain.Series{
				{Name: "temperature", Unit: "Cel", Kind: domain.NumberValue, Last: domain.Number(20.9), LastAt: t0.Add(90 * time.Second)},
				{Name: "relay", Kind: domain.BoolValue, Last: domain.Bool(false), LastAt: t0.Add(90 * time.Second)},
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %+v, %v", when, got, err)
			}
		}
		check("waiting")
		repo.kill()
		repo = p.open(t)
		check("after a restart")
		closeAll(t, repo)
		check("closed")
		repo.kill()
		repo = p.open(t)
		defer repo.kill()
		check("closed, after a restart")
		if s, err := repo.Series(t.Context(), "dev_unknown"); err != nil || len(s) > 0 {
			t.Errorf("%v, %v", s, err)
		}
	})
}

func TestNothingIsLeftOfAnErasedDevice(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		for _, d := range []string{"dev_a", "dev_b"} {
			must(t, repo, d, reports(1, 0, 500, t0))
			closeAll(t, repo)
			must(t, repo, d, reports(1, 500, 600, t0))
		}
		if err := repo.Erase(t.Context(), "dev_a"); err != nil {
			t.Fatal(err)
		}
		check := func(when string) {
			if s, err := repo.Series(t.Context(), "dev_a"); err != nil || len(s) > 0 {
				t.Errorf("%s: %v, %v", when, s, err)
			}
			checkAll(t, repo, "dev_b", 600, t0)
		}
		check("at once")
		repo.kill()
		repo = p.open(t)
		check("after a restart") // the journal has rows of it
		must(t, repo, "dev_a", reports(1, 0, 5, t0))
		if at := times(t, repo, "dev_a", "temperature"); len(at) != 5 {
			t.Errorf("%d readings of the device that begins anew", len(at))
		}
		closeAll(t, repo)
		repo.kill()
		repo = p.open(t)
		defer repo.kill()
		if err := repo.Erase(t.Context(), "dev_b"); err != nil {
			t.Fatal(err)
		}
		if err := repo.Erase(t.Context(), "dev_a"); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"devices", "series", "ranges", "chunks", "minutes", "hours", "days"} {
			var n int
			if err := repo.db.QueryRowContext(t.Context(), `SELECT count(*) FROM reading_`+table).Scan(&n); err != nil || n > 0 {
				t.Errorf("%d rows in %s, %v", n, table, err)
			}
		}
	})
}

func TestNothingIsAcknowledgedThatIsNotStored(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		must(t, repo, "dev_a", reports(1, 0, 1, t0))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := repo.Append(ended, "dev_a", reports(1, 1, 2, t0), t0); err == nil {
			t.Fatal("accepted for nobody")
		}
		if a := must(t, repo, "dev_a", reports(1, 1, 2, t0)); a.Accepted != 1 || *a.AckedThrough != 1 {
			t.Errorf("%+v", a)
		}
		checkAll(t, repo, "dev_a", 2, t0)
	})
}

func TestForgettingLeavesWhatIsCoarser(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		must(t, repo, "dev_a", reports(1, 0, 720, t0)) // two hours
		closeAll(t, repo)
		hours := chart(t, repo, time.Hour)
		forget := func(r domain.Resolution, before time.Time, want int64) {
			t.Helper()
			if n, err := repo.Forget(t.Context(), r, before, 10); err != nil || n != want {
				t.Errorf("%v: %d rows, %v; want %d", time.Duration(r), n, err, want)
			}
		}
		forget(domain.Raw, t0.Add(119*time.Minute), 1)
		if at := times(t, repo, "dev_a", "temperature"); len(at) != 360 || at[0].Before(t0.Add(time.Hour)) {
			t.Errorf("%d single values are left", len(at))
		}
		forget(domain.Raw, t0.Add(2*time.Hour), 1)
		forget(domain.PerMinute, t0.Add(2*time.Hour), 2)
		if got := chart(t, repo, time.Hour); !slices.Equal(got, hours) || len(got) != 2 {
			t.Errorf("%+v", got)
		}
		forget(domain.PerHour, t0.Add(24*time.Hour), 1)
		if got := chart(t, repo, 24*time.Hour); len(got) != 1 || got[0].Count != 720 {
			t.Errorf("%+v", got)
		}
		forget(domain.PerDay, t0.Add(24*time.Hour), 2)
		if got := chart(t, repo, 24*time.Hour); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		if err := repo.ForgetNumbers(t.Context(), t0.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := repo.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
