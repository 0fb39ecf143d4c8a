package domain

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit/clocktest"
)

// A day of retention is 24 hours, also where the clocks of a zone change and in February.
func TestRetentionCountsDaysOf24Hours(t *testing.T) {
	t.Parallel()
	clocktest.Each(t, func(t *testing.T, at time.Time) {
		for _, days := range []int{1, 30, 366, MaxRetentionDays} {
			keep, rules := Retention{Days: days}, RetentionRules{MinDays: days}
			for after, purged := range map[time.Duration]bool{-time.Millisecond: false, 0: false, time.Millisecond: true} {
				now := at.Add(time.Duration(days)*24*time.Hour + after)
				byAge := PurgeStep{Before: keep.Cutoff(now)}
				byLines := PurgeStep{UpTo: 1, LineCutoff: rules.LineCutoff(now)}
				if byAge.Matches(1, at.UTC()) != purged || byLines.Matches(1, at.UTC()) != purged {
					t.Errorf("after %d days and %v: by age %v, by lines %v", days, after, byAge, byLines)
				}
			}
		}
	})
}

// What ends at a time is there until a millisecond before, and gone from it on, in whichever
// zone the clock tells it.
func TestEndsAtTheTimeThatWasSaid(t *testing.T) {
	t.Parallel()
	clocktest.Each(t, func(t *testing.T, at time.Time) {
		end := at.UTC()
		for what, ended := range map[string]func(now time.Time) bool{
			"a status": func(now time.Time) bool { return Status{Text: "x", Expires: end}.At(now).Text == "" },
			"a mute":   func(now time.Time) bool { return !Member{MutedUntil: end}.Muted(now) },
			"a device": Device{Expires: end}.Ended,
			"a key":    DeviceKey{Expires: end}.Ended,
			"a choice": func(now time.Time) bool { return CheckEnd("/expires", end, now) != nil },
		} {
			if ended(at.Add(-time.Millisecond)) || !ended(at) || !ended(at.Add(time.Millisecond)) {
				t.Errorf("%s that ends at %v", what, at)
			}
		}
	})
}

// JSON tells times of years with four digits. One that has more in UTC would be kept, and
// whoever asked for it later would get an error.
func TestAnEndIsATimeThatJSONCanTell(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	west := time.FixedZone("", -3600)
	last := time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	for at, good := range map[time.Time]bool{
		{}: true, last: true, last.In(west): true, last.Add(1): false,
		time.Date(9999, 12, 31, 23, 30, 0, 0, west): false, now: false, now.Add(1): true,
	} {
		if err := CheckEnd("/expires", at, now); (err == nil) != good || !good && CodeOf(err) != CodeInvalidField {
			t.Errorf("%v: %v", at, err)
		}
		if _, err := at.UTC().MarshalJSON(); err != nil && good {
			t.Error(err)
		}
		if _, err := CheckStatus(Status{Expires: at}, now); (err == nil) != good {
			t.Error(fmt.Sprint("a status until ", at, ": ", err))
		}
	}
}
