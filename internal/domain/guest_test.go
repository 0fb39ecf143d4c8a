package domain

import (
	"strings"
	"testing"
	"time"
)

// A guest has access for at most a year, to the end of the last day. A time that has passed ends it at once.
func TestHowLongGuestsHaveAccess(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	last := now.AddDate(0, 0, MaxGuestDays+1)
	for until, good := range map[time.Time]bool{{}: false, now.Add(-time.Hour): true, last: true,
		last.Add(time.Second): false} {
		err := CheckGuestUntil(until, now)
		if (err == nil) != good || until.After(last) && !strings.Contains(err.Error(), "365 days") {
			t.Errorf("until %v: %v", until, err)
		}
	}
}
