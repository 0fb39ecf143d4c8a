package readings

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/readings/rollup"
)

// forget deletes all of a resolution before a time.
func forget(t *testing.T, repo *Repository, r domain.Resolution, before time.Time) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = repo.Forget(t.Context(), r, before); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t *testing.T, repo *Repository, table string) (n int) {
	t.Helper()
	if err := repo.db.QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestForgettingLeavesWhatIsCoarser(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		const n = 2 * 8640 // two days from 9 o'clock on
		all := reports(1, 0, n, t0)
		for i := 0; i < n; i += 1000 {
			must(t, repo, "dev_a", all[i:min(i+1000, n)])
			must(t, repo, "dev_b", all[i:min(i+1000, n)])
		}
		closeAll(t, repo)
		if n := count(t, repo, "reading_minutes"); n > 0 {
			t.Errorf("%d rows of minutes beside their single values", n)
		}
		midnight := t0.Truncate(24 * time.Hour)
		steps := []time.Duration{time.Minute, 5 * time.Minute, 7 * time.Minute, time.Hour, 24 * time.Hour}
		check := func(when string) {
			t.Helper()
			for _, step := range steps {
				if got, want := chart(t, repo, step), bucketsByHand(all, step); !slices.Equal(got, want) {
					t.Errorf("%s, %v: %d buckets, want %d", when, step, len(got), len(want))
				}
			}
		}
		forget(t, repo, domain.Raw, midnight.Add(47*time.Hour))
		if at := times(t, repo, "dev_a", "temperature"); at[0].Before(midnight.Add(24*time.Hour)) || len(at) != n-15*360 {
			t.Errorf("%d single values are left, from %v", len(at), at[0])
		}
		check("one day is minutes")
		forget(t, repo, domain.Raw, midnight.Add(72*time.Hour))
		if n := count(t, repo, "reading_chunks"); n > 0 {
			t.Errorf("%d chunks are left", n)
		}
		if n := count(t, repo, "reading_minutes"); n != 6 {
			t.Errorf("%d rows of minutes, want one for each device and day", n)
		}
		check("all is minutes")
		forget(t, repo, domain.PerMinute, midnight.Add(72*time.Hour))
		steps = []time.Duration{time.Hour, 24 * time.Hour}
		check("all is hours")
		forget(t, repo, domain.PerHour, midnight.Add(72*time.Hour))
		steps = steps[1:]
		check("all is days")
		forget(t, repo, domain.PerDay, midnight.Add(72*time.Hour))
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

// packBucketsOld packs buckets as programs did before the columns that say "over".
func (repo *Repository) packBucketsOld(bs rollup.Buckets) []byte {
	k := chunk.Chunk{}
	for _, b := range bs[0] {
		k.Times = append(k.Times, b.At)
	}
	for stat, get := range []func(b rollup.Bucket) float64{
		func(b rollup.Bucket) float64 { return float64(b.Count) }, func(b rollup.Bucket) float64 { return b.First },
		func(b rollup.Bucket) float64 { return b.Last }, func(b rollup.Bucket) float64 { return b.Min },
		func(b rollup.Bucket) float64 { return b.Max }, func(b rollup.Bucket) float64 { return rollup.Round(b.Sum) },
	} {
		c := chunk.Column{Slot: uint32(stat), Kind: domain.NumberValue}
		for _, b := range bs[0] {
			c.Numbers = append(c.Numbers, get(b))
		}
		k.Columns = append(k.Columns, c)
	}
	return repo.codec.Pack(&k)
}

// Programs before this one stored the minutes of an hour beside its chunks, and kept them alone afterwards.
func TestMinutesOfOlderProgramsAreRead(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		all := reports(1, 0, 2*8640, t0)
		must(t, repo, "dev_a", all)
		closeAll(t, repo)
		const gone = 20 // hours whose single values are gone already
		err := repo.db.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			for hour := range int64(48) {
				at := t0.Add(time.Duration(hour) * time.Hour)
				var rs []record
				for i := range all {
					if all[i].At.Truncate(time.Hour).Equal(at) {
						rs = append(rs, recordOf(&all[i], map[string]uint32{"temperature": 0}))
					}
				}
				for i := range rs {
					rs[i].values = rs[i].values[:1]
				}
				id := key(at.UnixMilli()/hourMillis, 1)
				if err := upsertBody(ctx, tx, "reading_minutes", id, repo.packBucketsOld(bucketsOf(rs, minuteMillis))); err != nil {
					return err
				}
				if hour < gone {
					if _, err := tx.ExecContext(ctx, `DELETE FROM reading_chunks WHERE id = $1`, id); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		check := func(when string) {
			t.Helper()
			if got, want := chart(t, repo, 5*time.Minute), bucketsByHand(all, 5*time.Minute); !slices.Equal(got, want) {
				t.Errorf("%s: %d buckets, want %d", when, len(got), len(want))
			}
		}
		check("beside single values")
		forget(t, repo, domain.Raw, t0.Add(96*time.Hour))
		check("alone")
		if n := count(t, repo, "reading_chunks"); n > 0 {
			t.Errorf("%d chunks are left", n)
		}
	})
}
