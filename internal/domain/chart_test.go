package domain

import (
	"math"
	"testing"
	"time"
)

func TestChartSeriesSumsUpBuckets(t *testing.T) {
	t.Parallel()
	var s ChartSeries
	for _, b := range []Bucket{
		{}, // nothing was measured
		{Count: 3, Min: 18, Max: 22, Sum: 60, Last: 21},
		{Count: 1, Min: 30, Max: 30, Sum: 30, Last: 30},
	} {
		s.Add(b)
	}
	if s.Count != 4 || s.Min != 18 || s.Max != 30 || s.Last != 30 || math.Abs(s.Mean-22.5) > 1e-9 {
		t.Errorf("it is %+v", s)
	}
}

// What is stored as JSON must be finite.
func TestTheMeanOfGreatNumbersIsFinite(t *testing.T) {
	t.Parallel()
	var s ChartSeries
	s.Add(Bucket{Count: 2, Min: math.MaxFloat64, Max: math.MaxFloat64, Sum: math.Inf(1), Last: math.MaxFloat64})
	s.Add(Bucket{Count: 2, Min: -math.MaxFloat64, Max: -math.MaxFloat64, Sum: math.Inf(-1), Last: -math.MaxFloat64})
	if math.IsInf(s.Mean, 0) || math.IsNaN(s.Mean) {
		t.Errorf("the mean is %v", s.Mean)
	}
}

func TestANewChartIsChecked(t *testing.T) {
	t.Parallel()
	good := NewChart{Room: NewID(RoomPrefix), Device: "dev_1", Key: "k"}
	if n, err := CheckNewChart(good); err != nil || n.Span != DefaultChartSpan {
		t.Errorf("%v, %v", n, err)
	}
	for name, change := range map[string]func(*NewChart){
		"no key":      func(n *NewChart) { n.Key = "" },
		"no room":     func(n *NewChart) { n.Room = "garden" },
		"short":       func(n *NewChart) { n.Span = time.Second },
		"long":        func(n *NewChart) { n.Span = MaxChartSpan + time.Second },
		"negative":    func(n *NewChart) { n.Span = -time.Hour },
		"many series": func(n *NewChart) { n.Series = make([]string, MaxChartSeries+1) },
	} {
		n := good
		change(&n)
		if _, err := CheckNewChart(n); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
