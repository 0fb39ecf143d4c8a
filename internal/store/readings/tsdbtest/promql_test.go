package tsdbtest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	prometheus "github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/unhidra/unhidra/internal/promql"
)

// A sample is of a series at a time, in milliseconds.
type sample struct {
	at int64
	v  float64
}

type sampled struct {
	labels  map[string]string
	samples []sample
}

// sampledSeries are of three devices, each 10 s with gaps, 3 s beside the steps: a range of Prometheus has
// the value at its end, and one of ours that at its begin.
func sampledSeries() (all []sampled) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, device := range []string{"dev_a", "dev_b", "dev_c"} {
		for n, name := range []string{"temperature", "humidity", "co2"} {
			if device == "dev_c" && name == "co2" {
				continue
			}
			s := sampled{labels: map[string]string{"__name__": "reading", "device": device, "series": name,
				"place": []string{"in", "out"}[n%2]}}
			apart := float64(len(all)) / 1000 // which of equal values topk takes is nowhere said
			for i := range 720 {
				if i%200 > 120 && device == "dev_b" {
					continue // away for longer than a value counts
				}
				at := begin.Add(time.Duration(i)*10*time.Second + 3*time.Second)
				s.samples = append(s.samples, sample{at.UnixMilli(), math.Round(20+10*float64(n)+random.NormFloat64()*3) + apart})
			}
			all = append(all, s)
		}
	}
	return all
}

// summarised is a source of ours.
type summarised []sampled

func (all summarised) Select(_ context.Context, ms []promql.Matcher, from, to int64, width time.Duration,
) (out []promql.Data, _ error) {
	for _, s := range all {
		if !promql.MatchAll(ms, s.labels) {
			continue
		}
		d := promql.Data{Labels: s.labels}
		for _, x := range s.samples {
			begin := x.at - x.at%width.Milliseconds()
			switch n := len(d.Buckets); {
			case begin+width.Milliseconds() <= from || x.at >= to:
			case n > 0 && d.Buckets[n-1].At == begin:
				b := &d.Buckets[n-1]
				b.Count, b.Last, b.Min, b.Max, b.Sum = b.Count+1, x.v, min(b.Min, x.v), max(b.Max, x.v), b.Sum+x.v
			default:
				d.Buckets = append(d.Buckets, promql.Bucket{At: begin, Count: 1, First: x.v, Last: x.v, Min: x.v, Max: x.v,
					Sum: x.v})
			}
		}
		out = append(out, d)
	}
	return out, nil
}

func stored(t *testing.T, all []sampled) *tsdb.DB {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), slog.New(slog.DiscardHandler), nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	app := db.Appender(t.Context())
	for _, s := range all {
		for _, x := range s.samples {
			if _, err := app.Append(0, labels.FromMap(s.labels), x.at, x.v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	return db
}

// lines are the values of an answer, each with its labels and its step. NaN is none.
func lines(labels map[string]string, steps promql.Steps, value func(i int) float64) (out []string) {
	var text []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		text = append(text, name+"="+labels[name])
	}
	for i := range int((steps.End-steps.Start)/steps.Step) + 1 {
		if v := value(i); !math.IsNaN(v) {
			out = append(out, fmt.Sprintf("{%s} %d: %.9g", strings.Join(text, ","), i, v))
		}
	}
	return out
}

// Queries have the answers that Prometheus gives, or are refused where it refuses them.
func TestAnswersAreThoseOfPrometheus(t *testing.T) {
	all := sampledSeries()
	db := stored(t, all)
	engine := prometheus.NewEngine(prometheus.EngineOpts{MaxSamples: 50_000_000, Timeout: time.Minute,
		LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		Parser: parser.NewParser(parser.Options{})})
	steps := promql.Steps{Start: begin.Add(-5 * time.Minute).UnixMilli(), End: begin.Add(130 * time.Minute).UnixMilli(),
		Step: 60_000}
	for _, query := range []string{
		`reading`, `reading{series="co2"}`, `-reading`, `2 ^ 3 ^ 2 - -2 ^ 2 * 3 % 5`, `reading ^ 2 / 7`, `-reading ^ 2`,
		`reading offset 7m`, `reading{series=~"t.*"} offset -3m`, `max_over_time(reading[5m] offset 1h)`,
		`avg_over_time(reading[10m])`, `min_over_time(reading[2m])`, `sum_over_time(reading[3m])`,
		`count_over_time(reading[5m])`, `last_over_time(reading[5m])`,
		`sum by (series) (reading)`, `avg without (device) (reading)`, `count(reading)`, `max(reading) by (place)`,
		`reading > 30`, `30 >= reading`, `reading == 30`, `reading != bool 30`, `25 < bool reading`, `1 > bool 2`,
		`1 > 2`, `reading{series="temperature"} - reading{series="temperature"} offset 10m`,
		`reading - reading offset 1h`, `reading / ignoring (series, place) reading`,
		`reading{series="temperature"} - ignoring (series, place) reading{series="humidity"}`,
		`reading{series="temperature"} * on (device) reading{series="humidity"}`,
		`reading{series="temperature"} > on (device) reading{series="co2"} - 20`,
		`reading{series="temperature"} > bool on (device) reading{series="co2"} - 20`,
		`reading{series="temperature"} >= ignoring (series) reading{series="co2"} - 15`,
		`reading < reading offset 1m`, `reading <= bool reading offset 1m`,
		`reading + on (series) reading`, `reading{device="dev_a"} + on (series) reading`,
		`reading + on (series) reading{device="dev_a"}`, `reading > on (series) reading{device="dev_a"} + 1000`,
		`reading * on (device, series) reading`, `reading * on () reading{device="none"}`,
		`reading + on (__name__, device, series) reading`, `sum(reading) / count(reading)`,
		`1 + on (device) reading`,
		`sum by (device) (reading) - on (device) max by (device) (reading)`,
		`topk(2, reading)`, `bottomk(3, reading)`, `topk by (device) (1, reading)`, `bottomk(1, reading) without (series)`,
		`topk(0, reading)`, `topk(1.9, reading) > 30`, `topk(100, reading)`, `sum(topk(2, reading))`, `topk(-1, reading)`,
		`quantile_over_time(0.5, reading[5m])`, `quantile_over_time(0.95, reading[17m])`,
		`quantile_over_time(0, reading[5m])`,
		`quantile_over_time(1, reading[5m])`, `quantile_over_time(-1, reading[5m])`, `quantile_over_time(1.1, reading[5m])`,
		`max by (series) (quantile_over_time(0.9, reading[10m] offset 5m))`, `reading offset`, `topk(reading)`,
		`quantile_over_time(reading[5m])`, `reading = 1`, `reading and`, `1 < 2`,
	} {
		var want []string
		q, wrong := engine.NewRangeQuery(t.Context(), db, nil, query, time.UnixMilli(steps.Start), time.UnixMilli(steps.End),
			time.Minute)
		if wrong == nil {
			result := q.Exec(t.Context())
			wrong = result.Err
			matrix, _ := result.Matrix()
			for _, s := range matrix {
				values := make(map[int]float64)
				for _, p := range s.Floats {
					values[int((p.T-steps.Start)/steps.Step)] = p.F
				}
				want = append(want, lines(s.Metric.Map(), steps, func(i int) float64 {
					if v, ok := values[i]; ok {
						return v
					}
					return math.NaN()
				})...)
			}
		}
		var got []string
		answer, err := promql.Query(t.Context(), query, summarised(all), steps)
		for _, r := range answer.Rows {
			got = append(got, lines(r.Labels, steps, func(i int) float64 { return r.Values[i] })...)
		}
		slices.Sort(want)
		slices.Sort(got)
		if (err == nil) != (wrong == nil) || !slices.Equal(got, want) {
			t.Errorf("%s: %d values, %v; Prometheus %d, %v\n%s", query, len(got), err, len(want), wrong, differing(got, want))
		}
	}
}

// differing are the first lines that are on one side only.
func differing(got, want []string) string {
	var out []string
	for _, l := range got {
		if _, found := slices.BinarySearch(want, l); !found && len(out) < 4 {
			out = append(out, "ours "+l)
		}
	}
	for _, l := range want {
		if _, found := slices.BinarySearch(got, l); !found && len(out) < 8 {
			out = append(out, "theirs "+l)
		}
	}
	return strings.Join(out, "\n")
}
