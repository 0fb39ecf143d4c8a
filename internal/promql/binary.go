package promql

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
)

func (b *binary) compares() bool { return strings.ContainsAny(b.op, "=<>") }

// renames reports whether the result is another thing than the series.
func (b *binary) renames() bool { return !b.compares() || b.asBool }

func (b *binary) eval(ctx context.Context, source Source, steps Steps) (Answer, error) {
	left, err := b.left.eval(ctx, source, steps)
	if err != nil {
		return Answer{}, err
	}
	right, err := b.right.eval(ctx, source, steps)
	if err != nil {
		return Answer{}, err
	}
	switch {
	case !left.Scalar && !right.Scalar:
		return b.pairs(left.Rows, right.Rows)
	case b.match != nil:
		return Answer{}, bad("on and ignoring are for two series, and one side is a number")
	case left.Scalar && right.Scalar && b.compares() && !b.asBool:
		return Answer{}, bad("a comparison of two numbers needs bool, as in 1 %s bool 2", b.op)
	}
	return b.withNumber(left, right), nil
}

// withNumber calculates where one side at least is a number.
func (b *binary) withNumber(left, right Answer) Answer {
	out := left
	if left.Scalar {
		out = right
	}
	for _, r := range out.Rows {
		for i, v := range r.Values {
			x, y := v, v
			if left.Scalar {
				x = left.Rows[0].Values[i]
			}
			if right.Scalar {
				y = right.Rows[0].Values[i]
			}
			r.Values[i] = b.value(x, y, v)
		}
		if b.renames() {
			delete(r.Labels, "__name__")
		}
	}
	out.Scalar = left.Scalar && right.Scalar
	return out
}

// value is that of x and y. A comparison is v if it is true, and none (NaN) otherwise.
func (b *binary) value(x, y, v float64) float64 {
	if !b.compares() || math.IsNaN(x) || math.IsNaN(y) {
		return apply(b.op, x, y)
	}
	holds := holds(b.op, x, y)
	switch {
	case b.asBool && holds:
		return 1
	case b.asBool:
		return 0
	case holds:
		return v
	}
	return math.NaN()
}

func apply(op string, x, y float64) float64 {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		return x / y
	case "%":
		return math.Mod(x, y)
	case "^":
		return math.Pow(x, y)
	}
	return math.NaN() // a comparison with none
}

func holds(op string, x, y float64) bool {
	switch op {
	case "==":
		return x == y
	case "!=":
		return x != y
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

// pairs calculates with series of both sides that have the same labels: one of each at a time.
func (b *binary) pairs(left, right []Row) (Answer, error) {
	partners := make(map[string][]Row)
	for _, r := range right {
		key := b.keyOf(r.Labels)
		partners[key] = append(partners[key], r)
	}
	var out Answer
	rows := make(map[string]int)
	taken := make(map[string][]bool) // by what they match by, the steps that have their pair
	for _, l := range left {
		key := b.keyOf(l.Labels)
		if len(partners[key]) == 0 {
			continue
		}
		if taken[key] == nil {
			taken[key] = make([]bool, len(l.Values))
		}
		labels := b.labelsOf(l.Labels)
		at, ok := rows[keyOf(labels)]
		if !ok {
			at = len(out.Rows)
			rows[keyOf(labels)] = at
			out.Rows = append(out.Rows, Row{Labels: labels, Values: slices.Repeat([]float64{math.NaN()}, len(l.Values))})
		}
		if err := b.pair(out.Rows[at].Values, l, partners[key], taken[key]); err != nil {
			return Answer{}, err
		}
	}
	return out, nil
}

// pair writes what comes of a series and its partners. At each step it may have one.
func (b *binary) pair(to []float64, left Row, partners []Row, taken []bool) error {
	for i, x := range left.Values {
		if math.IsNaN(x) {
			continue
		}
		found := false
		for _, r := range partners {
			y := r.Values[i]
			if math.IsNaN(y) {
				continue
			}
			if found {
				return bad("several series of the right side have the same labels; name more of them in on")
			}
			found = true
			if taken[i] {
				return bad("several series of the left side have the same labels; name more of them in on")
			}
			taken[i] = true
			if v := b.value(x, y, x); !math.IsNaN(v) {
				to[i] = v
			}
		}
	}
	return nil
}

// keyOf is by what series belong together.
func (b *binary) keyOf(labels map[string]string) string {
	by := maps.Clone(labels)
	maps.DeleteFunc(by, func(name, _ string) bool {
		if b.match == nil || !b.match.on {
			return name == "__name__" || b.match != nil && slices.Contains(b.match.labels, name)
		}
		return !slices.Contains(b.match.labels, name)
	})
	return keyOf(by)
}

// labelsOf are those of what comes of a series.
func (b *binary) labelsOf(labels map[string]string) map[string]string {
	m := b.match
	if m == nil {
		m = &matching{}
	}
	out := maps.Clone(labels)
	maps.DeleteFunc(out, func(name, _ string) bool {
		return name == "__name__" && b.renames() || slices.Contains(m.labels, name) != m.on
	})
	return out
}
