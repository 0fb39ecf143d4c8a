package telemetry

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A query that names no end has what was stored in this millisecond, and what a clock measured that is a
// little ahead.
func TestAQueryWithoutAnEndHasAllThatIsStored(t *testing.T) {
	t.Parallel()
	now := t0
	s := service(&fakes{}, &now)
	from, to, err := s.span(time.Time{}, time.Time{})
	if err != nil || to.UnixMilli() <= t0.Add(clockJitter).UnixMilli() || to.Sub(from) != defaultSpan {
		t.Errorf("[%v, %v), %v", from, to, err)
	}
}

func TestAStepIsTheShortestThatIsEnoughAndStillKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		span    time.Duration
		points  int
		atLeast domain.Resolution
		want    time.Duration
	}{
		{day, 500, domain.Raw, 5 * time.Minute}, {time.Minute, 500, domain.Raw, time.Second},
		{30 * day, 500, domain.Raw, 2 * time.Hour}, {time.Hour, 5000, domain.PerHour, time.Hour},
		{365 * day, 400, domain.PerMinute, day}, {20 * 365 * day, 1, domain.Raw, 364 * day},
	} {
		if got := stepFor(c.span, c.points, c.atLeast); got != c.want {
			t.Errorf("%v in %d points of at least %v: %v, want %v", c.span, c.points, time.Duration(c.atLeast), got, c.want)
		}
	}
	for i, step := range steps {
		if i > 0 && step <= steps[i-1] {
			t.Errorf("%v comes after %v", step, steps[i-1])
		}
		if r := slices.IndexFunc([]time.Duration{time.Minute, time.Hour, day}, func(r time.Duration) bool {
			return step >= r && step%r != 0
		}); r >= 0 {
			t.Errorf("%v is not whole in a stored resolution", step)
		}
	}
}
