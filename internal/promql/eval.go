package promql

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

type evaluator interface {
	eval(ctx context.Context, source Source, steps Steps) (Answer, error)
}

// aggregations are the operators over series.
var aggregations = []string{"sum", "avg", "min", "max", "count", "topk", "bottomk"}

// functions summarise the buckets of a range; the range is in seconds.
var functions = map[string]func(bs []Bucket, seconds float64) float64{
	"avg_over_time":   func(bs []Bucket, _ float64) float64 { return total(bs) / count(bs) },
	"sum_over_time":   func(bs []Bucket, _ float64) float64 { return total(bs) },
	"count_over_time": func(bs []Bucket, _ float64) float64 { return count(bs) },
	"min_over_time": func(bs []Bucket, _ float64) float64 {
		return slices.MinFunc(bs, func(a, b Bucket) int { return compare(a.Min, b.Min) }).Min
	},
	"max_over_time": func(bs []Bucket, _ float64) float64 {
		return slices.MaxFunc(bs, func(a, b Bucket) int { return compare(a.Max, b.Max) }).Max
	},
	"last_over_time": func(bs []Bucket, _ float64) float64 { return bs[len(bs)-1].Last },
	"delta":          func(bs []Bucket, _ float64) float64 { return bs[len(bs)-1].Last - bs[0].First },
	"increase":       func(bs []Bucket, _ float64) float64 { return increase(bs) },
	"rate":           func(bs []Bucket, seconds float64) float64 { return increase(bs) / seconds },
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func total(bs []Bucket) (sum float64) {
	for _, b := range bs {
		sum += b.Sum
	}
	return sum
}

func count(bs []Bucket) (n float64) {
	for _, b := range bs {
		n += float64(b.Count)
	}
	return n
}

// increase is that of a counter: where it falls, it began again at 0.
func increase(bs []Bucket) (sum float64) {
	before := bs[0].First
	for _, b := range bs {
		for _, v := range []float64{b.First, b.Last} {
			if v >= before {
				sum += v - before
			} else {
				sum += v
			}
			before = v
		}
	}
	return sum
}

func (n number) eval(_ context.Context, _ Source, steps Steps) (Answer, error) {
	values := make([]float64, steps.count())
	for i := range values {
		values[i] = float64(n)
	}
	return Answer{Scalar: true, Rows: []Row{{Values: values}}}, nil
}

// eval of a selector has the last value of each series, for as long as it counts.
func (s *selector) eval(ctx context.Context, source Source, steps Steps) (Answer, error) {
	if s.window != 0 {
		return Answer{}, bad("a range alone has no values: use a function, such as avg_over_time")
	}
	return windows(ctx, source, steps, s, lookback, widthFor, functions["last_over_time"])
}

func (c *call) eval(ctx context.Context, source Source, steps Steps) (a Answer, err error) {
	if c.name == quantile {
		a, err = c.quantile(ctx, source, steps)
	} else {
		a, err = windows(ctx, source, steps, c.arg, c.arg.window, widthFor, functions[c.name])
	}
	for _, r := range a.Rows { // another thing than the series
		if c.name != "last_over_time" {
			delete(r.Labels, "__name__")
		}
	}
	return a, err
}

// widths are those of buckets.
var widths = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute,
	2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// widthFor is the largest width that steps and windows are multiples of, or one that makes not too many
// buckets of a window, and of the query. The resolution of an answer is that.
func widthFor(steps Steps, window time.Duration) time.Duration {
	width := finest(steps, window)
	for _, w := range widths {
		exact := window%w == 0 && (steps.Start == steps.End || steps.Step%w.Milliseconds() == 0)
		if w > width && (steps.Start%w.Milliseconds() == 0 && exact || window/width > maxWindows) {
			width = w
		}
	}
	return width
}

// finest is the smallest width that makes not too many buckets of a query.
func finest(steps Steps, window time.Duration) time.Duration {
	span := steps.End - steps.Start + window.Milliseconds()
	i := slices.IndexFunc(widths, func(w time.Duration) bool { return span/w.Milliseconds() <= maxBuckets })
	if i < 0 {
		i = len(widths) - 1
	}
	return widths[i]
}

// windows summarises, at each step, the buckets of the window that ends there.
func windows(
	ctx context.Context, source Source, steps Steps, of *selector, window time.Duration,
	widthOf func(Steps, time.Duration) time.Duration, summary func([]Bucket, float64) float64,
) (Answer, error) {
	before := of.offset.Milliseconds()
	steps.Start, steps.End = steps.Start-before, steps.End-before
	data, err := source.Select(ctx, of.matchers, steps.Start-window.Milliseconds(), steps.End, widthOf(steps, window))
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	work := 0
	for _, d := range data {
		row := Row{Labels: maps.Clone(d.Labels), Values: make([]float64, steps.count())}
		first, last, any := 0, 0, false
		for i := range row.Values {
			end := steps.At(i)
			for last < len(d.Buckets) && d.Buckets[last].At < end {
				last++
			}
			for first < last && d.Buckets[first].At < end-window.Milliseconds() {
				first++
			}
			if work += last - first; work > maxWork {
				return Answer{}, bad("it reads too many values; ask for a shorter range, or for fewer steps or series")
			}
			row.Values[i] = math.NaN()
			if first < last {
				row.Values[i], any = summary(d.Buckets[first:last], window.Seconds()), true
			}
		}
		if any {
			a.Rows = append(a.Rows, row)
		}
		if err := ctx.Err(); err != nil {
			return Answer{}, err
		}
	}
	return a, nil
}

func (a *aggregation) eval(ctx context.Context, source Source, steps Steps) (Answer, error) {
	of, err := a.arg.eval(ctx, source, steps)
	if err != nil || of.Scalar {
		if err == nil {
			err = bad("%s is of series, and this is a number", a.op)
		}
		return Answer{}, err
	}
	if a.ranks() {
		return a.rank(ctx, source, steps, of)
	}
	groups := make(map[string]int)
	var out Answer
	var counts [][]float64
	for _, r := range of.Rows {
		labels := a.group(r.Labels)
		key := keyOf(labels)
		at, ok := groups[key]
		if !ok {
			at = len(out.Rows)
			groups[key] = at
			out.Rows = append(out.Rows, Row{Labels: labels, Values: slices.Repeat([]float64{math.NaN()}, len(r.Values))})
			counts = append(counts, make([]float64, len(r.Values)))
		}
		for i, v := range r.Values {
			if !math.IsNaN(v) {
				counts[at][i]++
				out.Rows[at].Values[i] = a.add(out.Rows[at].Values[i], v)
			}
		}
	}
	for at, r := range out.Rows {
		for i, n := range counts[at] {
			switch {
			case n > 0 && a.op == "avg":
				r.Values[i] /= n
			case n > 0 && a.op == "count":
				r.Values[i] = n
			}
		}
	}
	return out, nil
}

func (a *aggregation) add(sum, v float64) float64 {
	switch {
	case math.IsNaN(sum):
		return v
	case a.op == "min":
		return min(sum, v)
	case a.op == "max":
		return max(sum, v)
	}
	return sum + v
}

func (a *aggregation) group(labels map[string]string) map[string]string {
	group := make(map[string]string)
	for name, value := range labels {
		if name != "__name__" && slices.Contains(a.labels, name) != a.without {
			group[name] = value
		}
	}
	return group
}

func keyOf(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(name + "\x00" + labels[name] + "\x00")
	}
	return b.String()
}
