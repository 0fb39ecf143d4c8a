package readings

import "testing"

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
