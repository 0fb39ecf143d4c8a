package domain

import (
	"testing"
	"time"
)

// A time of day is that of the clocks, through both changes of summer time. One that is skipped is as much later, and
// of one that is shown twice the first counts.
func TestRepeatGoesByClocks(t *testing.T) {
	t.Parallel()
	every := []time.Weekday{0, 1, 2, 3, 4, 5, 6}
	at := func(h, min int) time.Duration { return time.Duration(h*60+min) * time.Minute }
	for _, c := range []struct {
		zone        string
		of          time.Duration
		days        []time.Weekday
		after, want string
	}{
		{"Europe/Berlin", at(9, 0), []time.Weekday{1}, "2026-03-23T08:00:00Z", "2026-03-30T07:00:00Z"},
		{"Europe/Berlin", at(9, 0), []time.Weekday{1}, "2026-03-23T07:59:59Z", "2026-03-23T08:00:00Z"},
		{"Europe/Berlin", at(9, 0), []time.Weekday{1}, "2026-10-19T07:00:00Z", "2026-10-26T08:00:00Z"},
		{"Europe/Berlin", at(2, 30), every, "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"},       // skipped: 3:30
		{"Europe/Berlin", at(2, 30), every, "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"},       // 2:30 again
		{"Europe/Berlin", at(2, 30), every, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},       // the first 2:30
		{"Europe/Berlin", at(2, 30), every, "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},       // not the second
		{"America/New_York", at(2, 30), every, "2026-03-07T12:00:00Z", "2026-03-08T07:30:00Z"},    // skipped: 3:30
		{"America/New_York", at(1, 30), every, "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z"},    // the first 1:30
		{"Australia/Lord_Howe", at(1, 45), every, "2026-04-04T10:00:00Z", "2026-04-04T14:45:00Z"}, // half an hour
		{"America/Havana", at(0, 30), every, "2026-03-07T12:00:00Z", "2026-03-08T05:30:00Z"},      // skips midnight: 1:30
		{"Pacific/Apia", at(9, 0), []time.Weekday{5}, "2011-12-29T12:00:00Z", "2012-01-05T19:00:00Z"},
		{"Asia/Kolkata", at(0, 0), every, "2026-01-01T00:00:00Z", "2026-01-01T18:30:00Z"},
	} {
		after, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		next := Repeat{Zone: c.zone, Time: c.of, Weekdays: c.days}.Next(after)
		if got := next.Format(time.RFC3339); got != c.want {
			t.Errorf("%s %s after %s: %s, not %s", c.zone, c.of, c.after, got, c.want)
		}
	}
	if at := (Repeat{}).Next(time.Now()); !at.IsZero() {
		t.Errorf("never is %s", at)
	}
}

func TestWhatIsNoTimeForLater(t *testing.T) {
	t.Parallel()
	now := time.Now()
	monday := []time.Weekday{1}
	for what, err := range map[string]error{
		"now":              CheckAhead("/at", now, now),
		"never":            CheckAhead("/at", time.Time{}, now),
		"in too long":      CheckAhead("/at", now.Add(MaxAhead+time.Millisecond), now),
		"in no zone":       second(CheckRepeat(Repeat{Weekdays: monday})),
		"in a zone nobody": second(CheckRepeat(Repeat{Zone: "Moon/Tycho", Weekdays: monday})),
		"here":             second(CheckRepeat(Repeat{Zone: "Local", Weekdays: monday})),
		"at 24:00":         second(CheckRepeat(Repeat{Zone: "UTC", Time: 24 * time.Hour, Weekdays: monday})),
		"at no time":       second(CheckRepeat(Repeat{Zone: "UTC", Time: -1, Weekdays: monday})),
		"on no day":        second(CheckRepeat(Repeat{Zone: "UTC"})),
		"on an eighth day": second(CheckRepeat(Repeat{Zone: "UTC", Weekdays: []time.Weekday{7}})),
	} {
		if CodeOf(err) != CodeInvalidField {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := CheckAhead("/at", now.Add(MaxAhead), now); err != nil {
		t.Error(err)
	}
	r, err := CheckRepeat(Repeat{Zone: "UTC", Weekdays: []time.Weekday{5, 1, 5}})
	if err != nil || len(r.Weekdays) != 2 || r.Weekdays[0] != time.Monday {
		t.Errorf("%+v, %v", r, err)
	}
}

func second(_ Repeat, err error) error { return err }
