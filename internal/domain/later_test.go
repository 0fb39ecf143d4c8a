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
	for _, c := range []struct {
		zone        string
		of          time.Duration
		day         int
		after, want string
	}{
		{"Europe/Berlin", at(9, 0), 1, "2026-03-15T12:00:00Z", "2026-04-01T07:00:00Z"},
		{"Europe/Berlin", at(9, 0), 15, "2026-03-15T07:59:59Z", "2026-03-15T08:00:00Z"},
		{"Europe/Berlin", at(9, 0), 15, "2026-03-15T08:00:00Z", "2026-04-15T07:00:00Z"},
		{"UTC", at(9, 0), 31, "2026-01-31T09:00:00Z", "2026-02-28T09:00:00Z"},
		{"UTC", at(9, 0), 31, "2026-02-28T09:00:00Z", "2026-03-31T09:00:00Z"},
		{"UTC", at(9, 0), 30, "2028-01-31T00:00:00Z", "2028-02-29T09:00:00Z"}, // a leap year
		{"UTC", at(9, 0), 31, "2026-12-31T09:00:00Z", "2027-01-31T09:00:00Z"},
		{"Europe/Berlin", at(2, 30), 29, "2026-03-01T12:00:00Z", "2026-03-29T01:30:00Z"},       // skipped: 3:30
		{"Europe/Berlin", at(2, 30), 25, "2026-10-01T12:00:00Z", "2026-10-25T00:30:00Z"},       // the first 2:30
		{"Europe/Berlin", at(2, 30), 25, "2026-10-25T00:30:00Z", "2026-11-25T01:30:00Z"},       // not the second
		{"Pacific/Auckland", at(9, 0), 1, "2026-01-31T19:59:00Z", "2026-01-31T20:00:00Z"},      // February there
		{"Pacific/Auckland", at(9, 0), 1, "2026-01-31T20:00:00Z", "2026-02-28T20:00:00Z"},      // March there
		{"America/Los_Angeles", at(20, 0), 31, "2026-02-01T03:00:00Z", "2026-02-01T04:00:00Z"}, // January there
		{"Pacific/Apia", at(9, 0), 30, "2011-12-01T12:00:00Z", "2011-12-30T19:00:00Z"},         // the 30th was left out
	} {
		after, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		r := Repeat{Zone: c.zone, Time: c.of, MonthDay: c.day}
		next := r.Next(after)
		if got := next.Format(time.RFC3339); got != c.want {
			t.Errorf("%s %s on day %d after %s: %s, not %s", c.zone, c.of, c.day, c.after, got, c.want)
		}
		if from := r.From(next); !from.Equal(next) {
			t.Errorf("from %s on: %s", next, from)
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
		"now":                  CheckAhead("/at", now, now),
		"never":                CheckAhead("/at", time.Time{}, now),
		"in too long":          CheckAhead("/at", now.Add(MaxAhead+time.Millisecond), now),
		"in no zone":           second(CheckRepeat(Repeat{Weekdays: monday})),
		"in a zone nobody":     second(CheckRepeat(Repeat{Zone: "Moon/Tycho", Weekdays: monday})),
		"here":                 second(CheckRepeat(Repeat{Zone: "Local", Weekdays: monday})),
		"at 24:00":             second(CheckRepeat(Repeat{Zone: "UTC", Time: 24 * time.Hour, Weekdays: monday})),
		"at no time":           second(CheckRepeat(Repeat{Zone: "UTC", Time: -1, Weekdays: monday})),
		"on no day":            second(CheckRepeat(Repeat{Zone: "UTC"})),
		"on no day of months":  second(CheckRepeat(Repeat{Zone: "UTC", MonthDay: 32})),
		"before the first":     second(CheckRepeat(Repeat{Zone: "UTC", MonthDay: -1})),
		"on days of each kind": second(CheckRepeat(Repeat{Zone: "UTC", MonthDay: 1, Weekdays: monday})),
		"on an eighth day":     second(CheckRepeat(Repeat{Zone: "UTC", Weekdays: []time.Weekday{7}})),
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

// Of the times that passed meanwhile, one that repeats is sent at the last one, and each time is a message of its own.
func TestOfTimesThatPassedTheLastOneCounts(t *testing.T) {
	t.Parallel()
	monday := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	daily := Repeat{Zone: "UTC", Time: 9 * time.Hour, Weekdays: []time.Weekday{0, 1, 2, 3, 4, 5, 6}}
	weekly := Repeat{Zone: "UTC", Time: 9 * time.Hour, Weekdays: []time.Weekday{1}}
	monthly := Repeat{Zone: "UTC", Time: 9 * time.Hour, MonthDay: 30}
	for what, c := range map[string]struct {
		repeat Repeat
		at     time.Time
		after  time.Duration
		want   time.Time
		late   bool
	}{
		"once":              {Repeat{}, monday, 72 * time.Hour, monday, true},
		"now":               {daily, monday, 0, monday, false},
		"a moment later":    {daily, monday, time.Minute, monday, false},
		"the next is due":   {daily, monday, 24 * time.Hour, monday.AddDate(0, 0, 1), false},
		"three days later":  {daily, monday, 77 * time.Hour, monday.AddDate(0, 0, 3), false},
		"not in a week":     {weekly, monday, 72 * time.Hour, monday, true},
		"a week, by a day":  {weekly, monday, 8 * 24 * time.Hour, monday.AddDate(0, 0, 7), false},
		"a year later":      {daily, monday, 365 * 24 * time.Hour, monday.AddDate(1, 0, 0), false},
		"months later":      {monthly, monday, 100 * 24 * time.Hour, time.Date(2027, 2, 28, 9, 0, 0, 0, time.UTC), true},
		"sent out of order": {daily, monday.Add(time.Hour), 2 * time.Hour, monday.Add(time.Hour), false},
	} {
		m := Scheduled{ID: "sch_1", At: c.at, Repeat: c.repeat}
		now := c.at.Add(c.after)
		due := m.Due(now)
		if !due.At.Equal(c.want) || due.Late(now) != c.late {
			t.Errorf("%s: %s, late: %v", what, due.At, due.Late(now))
		}
		if same := due.MessageKey() == m.MessageKey(); same != due.At.Equal(m.At) {
			t.Errorf("%s: keys %s and %s", what, m.MessageKey(), due.MessageKey())
		}
		if err := CheckKey(due.MessageKey()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
