package readings

import (
	"math"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Numbers whose sum no float64 can have spoil neither what is packed beside them, nor a chart.
func TestSumsOfHugeNumbersStayNumbers(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		huge := []float64{math.MaxFloat64, math.MaxFloat64, -math.MaxFloat64, -math.MaxFloat64, -math.MaxFloat64}
		var rs []domain.Report
		for i, v := range huge {
			rs = append(rs, domain.Report{At: t0.Add(time.Duration(i/2) * time.Hour),
				Readings: []domain.Reading{{Name: "x", Value: domain.Number(v)}}})
		}
		must(t, repo, "dev_huge", rs)
		must(t, repo, "dev_a", reports(1, 0, 10, t0))
		for _, when := range []string{"waiting", "packed"} {
			for _, step := range []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour} {
				all, err := repo.Buckets(t.Context(), "dev_huge", []string{"x"}, t0, t0.Add(24*time.Hour), step, domain.Raw)
				if err != nil || len(all["x"]) == 0 {
					t.Fatalf("%s, step %v: %v, %v", when, step, all, err)
				}
				for _, b := range all["x"] {
					if math.IsNaN(b.Sum) || math.IsInf(b.Sum, 0) {
						t.Errorf("%s, step %v: %+v", when, step, b)
					}
				}
			}
			closeAll(t, repo)
		}
		checkAll(t, repo, "dev_a", 10, t0)
	})
}
