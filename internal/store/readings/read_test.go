package readings

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/readings/rollup"
)

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
		b.Sum = rollup.Round(b.Sum)
	}
	out := slices.Clone(bs["temperature"])
	for i := range out {
		out[i].Sum = rollup.Round(out[i].Sum)
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
		by[at].Sum = rollup.Round(by[at].Sum)
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
				{Name: "temperature", Unit: "Cel", Kind: domain.NumberValue, Last: domain.Number(20.9),
					LastAt: t0.Add(90 * time.Second)},
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
