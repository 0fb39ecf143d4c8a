package readings

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

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
		if err := repo.db.QueryRowContext(t.Context(),
			`SELECT count(DISTINCT boot) FROM reading_ranges`).Scan(&boots); err != nil ||
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
