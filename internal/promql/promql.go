// Package promql evaluates a part of Prometheus' query language over summarised samples: what dashboards
// ask of sensors. It decides nothing about who may see what.
//
// It knows selectors with all four matchers and offset, functions over a range, aggregations, numbers, and
// arithmetic and comparison, of two series with the same labels too. All else is an error that says so.
package promql

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// ErrQuery is the error for a query that cannot be evaluated.
var ErrQuery = errors.New("bad query")

// ErrQueryf returns an ErrQuery with a text.
func ErrQueryf(format string, args ...any) error { return bad(format, args...) }

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrQuery}, args...)...)
}

// Limits of a query.
const (
	maxQuery   = 4096 // bytes
	maxDepth   = 20
	MaxSteps   = 11_000
	lookback   = 5 * time.Minute // for how long the last value of a series counts
	maxWindows = 11_000          // buckets in a range
	maxBuckets = 100_000         // of a series in a query
	maxWork    = 100_000_000     // buckets that the windows of a query have in all
)

// A Bucket summarises the samples of a series in a stretch of time.
type Bucket struct {
	At                         int64 // its begin, in milliseconds since 1970
	Count                      int64
	First, Last, Min, Max, Sum float64
}

// A Data is what a source has of a series.
type Data struct {
	Labels  map[string]string
	Buckets []Bucket // ascending
}

// A Source has series.
type Source interface {
	// Select returns the series that all matchers match, in [from, to) in milliseconds, with buckets
	// of a width.
	Select(ctx context.Context, ms []Matcher, from, to int64, width time.Duration) ([]Data, error)
}

// A Matcher says what the value of a label must be. A label that is missing is empty.
type Matcher struct {
	Name, Op, Value string
	re              *regexp.Regexp
}

// Matches reports whether a value is as the matcher wants it.
func (m *Matcher) Matches(value string) bool {
	switch m.Op {
	case "=":
		return value == m.Value
	case "!=":
		return value != m.Value
	case "=~":
		return m.re.MatchString(value)
	}
	return !m.re.MatchString(value)
}

// MatchAll reports whether all matchers match a series.
func MatchAll(ms []Matcher, labels map[string]string) bool {
	for i := range ms {
		if !ms[i].Matches(labels[ms[i].Name]) {
			return false
		}
	}
	return true
}

// A Row is a series of the answer: a value at each step, or none (NaN).
type Row struct {
	Labels map[string]string
	Values []float64
}

// An Answer is that of a query. A scalar has one row without labels.
type Answer struct {
	Scalar bool
	Rows   []Row
}

// Steps are the times of an answer, in milliseconds since 1970.
type Steps struct {
	Start, End, Step int64
}

func (s Steps) count() int { return int((s.End-s.Start)/s.Step) + 1 }

// At is the time of a step.
func (s Steps) At(i int) int64 { return s.Start + int64(i)*s.Step }

// Query evaluates a query at each step.
func Query(ctx context.Context, query string, source Source, steps Steps) (Answer, error) {
	if steps.Step <= 0 || steps.End < steps.Start || (steps.End-steps.Start)/steps.Step >= MaxSteps {
		return Answer{}, bad("a range has 1 to %d steps", MaxSteps)
	}
	n, err := Parse(query)
	if err != nil {
		return Answer{}, err
	}
	return n.eval(ctx, source, steps)
}
