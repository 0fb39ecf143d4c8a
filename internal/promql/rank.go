package promql

import (
	"context"
	"math"
	"slices"
)

func (a *aggregation) ranks() bool { return a.op == "topk" || a.op == "bottomk" }

// rank leaves the k greatest or least values of each group at each step. A single step has them in order.
func (a *aggregation) rank(ctx context.Context, source Source, steps Steps, of Answer) (Answer, error) {
	k, err := a.param.eval(ctx, source, steps)
	if err == nil && !k.Scalar {
		err = bad("%s needs a number first, as in %s(3, reading)", a.op, a.op)
	}
	if err != nil {
		return Answer{}, err
	}
	var order []string
	groups := make(map[string][]Row)
	for _, r := range of.Rows {
		key := keyOf(a.group(r.Labels))
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], r)
	}
	var out Answer
	for _, key := range order {
		rows := groups[key]
		for i := range steps.count() {
			ranked := a.ranked(rows, i)
			for n, r := range ranked {
				if !(float64(n+1) <= k.Rows[0].Values[i]) {
					r.Values[i] = math.NaN()
				}
			}
			if steps.count() == 1 {
				rows = ranked
			}
		}
		out.Rows = append(out.Rows, rows...)
	}
	return out, nil
}

// ranked are the rows that have a value at a step, the one that is kept first before the others.
func (a *aggregation) ranked(rows []Row, step int) []Row {
	ranked := make([]Row, 0, len(rows))
	for _, r := range rows {
		if !math.IsNaN(r.Values[step]) {
			ranked = append(ranked, r)
		}
	}
	slices.SortStableFunc(ranked, func(x, y Row) int {
		if a.op == "topk" {
			x, y = y, x
		}
		return compare(x.Values[step], y.Values[step])
	})
	return ranked
}

const quantile = "quantile_over_time"

// quantile goes by the single values of a range, as far as there is one in each bucket; the values of one
// that has several are taken to be their mean.
func (c *call) quantile(ctx context.Context, source Source, steps Steps) (Answer, error) {
	q, err := c.param.eval(ctx, source, steps)
	if err == nil && !q.Scalar {
		err = bad("%s needs a number first, as in %s(0.95, reading[1h])", quantile, quantile)
	}
	if err != nil {
		return Answer{}, err
	}
	return windows(ctx, source, steps, c.arg, c.arg.window, finest, func(bs []Bucket, _ float64) float64 {
		return quantileOf(q.Rows[0].Values[0], bs)
	})
}

// quantileOf is the value below which a share q of the values is, interpolated between two of them.
func quantileOf(q float64, bs []Bucket) float64 {
	switch {
	case math.IsNaN(q):
		return q
	case q < 0:
		return math.Inf(-1)
	case q > 1:
		return math.Inf(1)
	}
	mean := func(b Bucket) float64 { return b.Sum / float64(b.Count) }
	sorted := slices.SortedFunc(slices.Values(bs), func(x, y Bucket) int { return compare(mean(x), mean(y)) })
	rank := q * (count(bs) - 1)
	at := func(n float64) float64 { // value number n
		for _, b := range sorted {
			if n -= float64(b.Count); n < 0 {
				return mean(b)
			}
		}
		return mean(sorted[len(sorted)-1])
	}
	weight := rank - math.Floor(rank)
	return at(math.Floor(rank))*(1-weight) + at(math.Ceil(rank))*weight
}
