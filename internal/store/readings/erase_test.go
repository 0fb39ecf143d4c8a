package readings

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

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
