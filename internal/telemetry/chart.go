package telemetry

import (
	"context"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	maxSeries    = 32 // in one query
	maxPoints    = 5000
	defaultSpan  = 24 * time.Hour
	maxTexts     = 5000 // values of texts in one answer
	longestChart = 20 * 366 * 24 * time.Hour
)

// steps are the stretches of time that a bucket of a chart may cover.
var steps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	day, 2 * day, 7 * day, 14 * day, 28 * day, 91 * day, 364 * day,
}

const day = 24 * time.Hour

// stepFor is the shortest step that needs at most points buckets for a span, and is a multiple of
// what is still kept of its begin.
func stepFor(span time.Duration, points int, atLeast domain.Resolution) time.Duration {
	for _, step := range steps {
		if step*time.Duration(points) >= span && step >= time.Duration(atLeast) {
			return step
		}
	}
	return steps[len(steps)-1]
}

// resolutionAt is the finest resolution that is kept of a time.
func (k Keep) resolutionAt(at, now time.Time) domain.Resolution {
	age := now.Sub(at)
	switch {
	case k.Raw == 0 || age <= k.Raw:
		return domain.Raw
	case k.Minutes == 0 || age <= k.Minutes:
		return domain.PerMinute
	case k.Hours == 0 || age <= k.Hours:
		return domain.PerHour
	}
	return domain.PerDay
}

// A chart is an answer to a query.
type chart struct {
	from, to time.Time
	step     time.Duration
	series   []domain.Series
	buckets  map[string][]domain.Bucket
	texts    map[string][]domain.Point
}

// chart reads some series of a device; all of them if names is empty.
func (s *Service) chart(
	ctx context.Context, device string, names []string, from, to time.Time, points int,
) (c chart, err error) {
	if from, to, err = s.span(from, to); err != nil {
		return c, err
	}
	if c.series, err = s.chosen(ctx, device, names); err != nil {
		return c, err
	}
	var numbers, texts []string
	for _, of := range c.series {
		if of.Kind == domain.TextValue {
			texts = append(texts, of.Name)
		} else {
			numbers = append(numbers, of.Name)
		}
	}
	finest := s.Keep.resolutionAt(from, s.Now())
	c.from, c.to, c.step = from, to, stepFor(to.Sub(from), points, finest)
	if len(numbers) > 0 {
		if c.buckets, err = s.Store.Buckets(ctx, device, numbers, from, to, c.step, finest); err != nil {
			return c, err
		}
	}
	if len(texts) > 0 {
		c.texts, err = s.Store.Points(ctx, device, texts, from, to, maxTexts)
	}
	return c, err
}

// span is the stretch [begin, end) of a query, with what it leaves out. Without an end it has all that is
// stored: the clocks of devices may be clockJitter ahead.
func (s *Service) span(from, to time.Time) (begin, end time.Time, err error) {
	if to.IsZero() {
		to = s.Now().Add(clockJitter + time.Millisecond)
	}
	if from.IsZero() {
		from = to.Add(-defaultSpan)
	}
	if !from.Before(to) {
		return from, to, domain.InvalidField("?from", "from must be before to")
	}
	if to.Sub(from) > longestChart {
		return from, to, domain.InvalidField("?from", "a query covers at most 20 years")
	}
	return from, to, nil
}

// chosen returns the series of a device by their names, in this order; all if there are no names.
func (s *Service) chosen(ctx context.Context, device string, names []string) ([]domain.Series, error) {
	all, err := s.Store.Series(ctx, device)
	if err != nil || len(names) == 0 {
		return all[:min(len(all), maxSeries)], err
	}
	if len(names) > maxSeries {
		return nil, domain.InvalidField("?series", "a query has at most %d series", maxSeries)
	}
	var found []domain.Series
	for _, name := range names {
		i := slices.IndexFunc(all, func(s domain.Series) bool { return s.Name == name })
		if i < 0 {
			return nil, domain.NotFound.Errorf(domain.CodeNoSeries, "this device has no series %.64q", name)
		}
		found = append(found, all[i])
	}
	return found, nil
}
