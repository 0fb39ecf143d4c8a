package telemetry

import (
	"testing"
	"time"
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
