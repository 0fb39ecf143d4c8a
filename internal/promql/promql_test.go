package promql

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// sensors has two series with a value each 10 s: i, and 100 + i; from 1000 s to 2000 s after 1970.
type sensors struct{}

func (sensors) Select(_ context.Context, ms []Matcher, from, to int64, width time.Duration) (out []Data, err error) {
	for n, name := range []string{"air", "soil"} {
		d := Data{Labels: map[string]string{"__name__": "reading", "series": name, "device": "dev_a"}}
		if !MatchAll(ms, d.Labels) {
			continue
		}
		for i := range 100 {
			at, v := int64(1_000_000+i*10_000), float64(100*n+i)
			begin := at / width.Milliseconds() * width.Milliseconds()
			if at < from || at >= to {
				continue
			}
			if k := len(d.Buckets); k > 0 && d.Buckets[k-1].At == begin {
				b := &d.Buckets[k-1]
				b.Count, b.Last, b.Max, b.Sum = b.Count+1, v, v, b.Sum+v
				continue
			}
			d.Buckets = append(d.Buckets, Bucket{At: begin, Count: 1, First: v, Last: v, Min: v, Max: v, Sum: v})
		}
		out = append(out, d)
	}
	return out, nil
}

func TestQueriesAreAnswered(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		`1+1`:                                                        "2",
		`-2 * (3 + 1) / 4 % 3`:                                       "-2",
		`reading{series="air"}`:                                      "air=49",
		`reading`:                                                    "air=49 soil=149",
		`{__name__=~"read.*",series!='air'}`:                         "soil=149",
		`reading{series=~"a|soil"}`:                                  "soil=149",
		`reading{series!~"so.l", none=""}`:                           "air=49",
		`reading{series="x"}`:                                        "",
		`avg_over_time(reading{series="air"}[1m])`:                   "air=46.5",
		`min_over_time(reading{series="air"}[100s])`:                 "air=40",
		`max_over_time( reading{series="air"} [1m] )`:                "air=49",
		`sum_over_time(reading{series="air"}[20s])`:                  "air=97",
		`count_over_time(reading[1m])`:                               "air=6 soil=6",
		`last_over_time(reading{series="air"}[1m])`:                  "air=49",
		`delta(reading{series="air"}[1m])`:                           "air=5",
		`rate(reading{series="air"}[100s])`:                          "air=0.09",
		`sum(reading)`:                                               "=198",
		`avg by (device) (reading)`:                                  "=99",
		`max(reading) by (series)`:                                   "air=49 soil=149",
		`count without (series) (reading)`:                           "=2",
		`min without () (reading * 2)`:                               "air=98 soil=298",
		`reading{series="air"} * 1.8 + 32`:                           "air=120.2",
		`2 ^ 3 ^ 2 - -2 ^ 2`:                                         "516",
		`reading - reading`:                                          "air=0 soil=0",
		`reading{series="air"} - on (device) reading{series="soil"}`: "=-100",
		`reading{series="air"} + ignoring(series) reading{series="soil"} offset 1m`: "=192",
		`reading offset -1m`: "air=55 soil=155",
		`avg_over_time(reading{series="air"}[1m] offset 1m)`: "air=40.5",
		`reading > 100`:                                        "soil=149",
		`100 <= reading`:                                       "soil=149",
		`reading > bool 100`:                                   "air=0 soil=1",
		`1 < bool 2`:                                           "1",
		`reading == reading offset 10s`:                        "",
		`reading != reading offset 10s`:                        "air=49 soil=149",
		`reading > ignoring(none) reading offset 10s`:          "air=49 soil=149",
		`topk(1, reading)`:                                     "soil=149",
		`bottomk(1, reading)`:                                  "air=49",
		`topk(2, reading)`:                                     "soil=149 air=49",
		`topk by (series) (1, reading)`:                        "air=49 soil=149",
		`bottomk(1, reading) by (device)`:                      "air=49",
		`topk(0, reading)`:                                     "",
		`count(topk(1, reading))`:                              "=1",
		`quantile_over_time(0.5, reading{series="air"}[1m])`:   "air=46.5",
		`quantile_over_time(0.9, reading{series="air"}[100s])`: "air=48.1",
		`quantile_over_time(0, reading[1m])`:                   "air=44 soil=144",
		`quantile_over_time(2, reading{series="air"}[1m])`:     "air=+Inf",
	} {
		a, err := Query(t.Context(), query, sensors{}, Steps{Start: 1_500_000, End: 1_500_000, Step: 1000})
		var got []string
		for _, r := range a.Rows {
			if math.IsNaN(r.Values[0]) {
				continue // none
			}
			text := fmt.Sprintf("%s=%.10g", r.Labels["series"], r.Values[0])
			if a.Scalar {
				text = text[1:]
			}
			got = append(got, text)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v; want %q", query, got, err, want)
		}
	}
}

func TestARangeHasAValueForEachStep(t *testing.T) {
	t.Parallel()
	a, err := Query(t.Context(), `reading{series="air"}`, sensors{}, Steps{Start: 960_000, End: 2_400_000, Step: 60_000})
	if err != nil || len(a.Rows) != 1 || len(a.Rows[0].Values) != 25 {
		t.Fatalf("%+v, %v", a, err)
	}
	vs := a.Rows[0].Values
	// Before the first, there is none; the last counts for five minutes.
	if !math.IsNaN(vs[0]) || vs[1] != 1 || vs[2] != 7 || vs[18] != 99 || vs[22] != 99 || !math.IsNaN(vs[23]) {
		t.Errorf("%v", vs)
	}
}

func TestACounterThatBeginsAgainGoesOn(t *testing.T) {
	t.Parallel()
	bs := []Bucket{{First: 5, Last: 9}, {First: 2, Last: 4}} // 4, then 2 from 0, then 2
	if got := increase(bs); got != 8 {
		t.Errorf("%v", got)
	}
}

func TestQueriesThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		"", "reading{", "reading{a}", `reading{a="b}`, "reading[5m]", "rate(reading)", "rate(reading[5x])", "sum(1)",
		"reading + on(device) reading", `reading / on (device) reading{series="soil"} offset 10s`,
		"reading + on (device) group_left reading", "reading + on 1", "reading on (a)",
		"1 < 2", "1 + on(a) reading", "topk(reading)", "topk(reading, reading)", "quantile_over_time(reading[1m])",
		"quantile_over_time(reading, reading[1m])", "reading offset", "reading offset x",
		"reading = 1", "reading and reading",
		"reading < bool", "1 ^", "topk(1)", strings.Repeat("1^", 100) + "1",
		"histogram_quantile(0.9, reading)", "reading reading", "sum by (%) (reading)", "sum by (a", `{a=~"("}`, "1 +", "(1",
		"rate(reading[99999999999y])",
		strings.Repeat("(", 50) + "1" + strings.Repeat(")", 50), strings.Repeat("-", 100) + "1",
		strings.Repeat("1+", 3000) + "1",
	} {
		if a, err := Query(t.Context(), query, sensors{},
			Steps{Start: 1_500_000, End: 1_500_000, Step: 1000}); !errors.Is(err, ErrQuery) {
			t.Errorf("%.40s: %+v, %v", query, a, err)
		}
	}
	for _, steps := range []Steps{{0, 1, 0}, {1, 0, 1}, {0, MaxSteps * 1000, 1000}, {0, 5, -1}} {
		if _, err := Query(t.Context(), "1", sensors{}, steps); !errors.Is(err, ErrQuery) {
			t.Errorf("%+v was taken", steps)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`sum by (a) (rate({b=~"c", d!='e'}[5m])) * -1.5e3`)
	f.Fuzz(func(t *testing.T, query string) {
		if n, err := Parse(query); err == nil {
			_, _ = n.eval(t.Context(), sensors{}, Steps{Start: 1_500_000, End: 1_560_000, Step: 60_000})
		}
	})
}
