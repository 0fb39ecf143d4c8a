// Package clocktest has moments at which calendars and clocks do something special, for
// tests of what computes with time.
package clocktest

import (
	"testing"
	"time"
)

// Each runs fn as a subtest for each moment, as a clock in its zone tells it: ends of days,
// months and years, leap days, begin and end of summer time.
func Each(t *testing.T, fn func(t *testing.T, at time.Time)) {
	t.Helper()
	for _, m := range []struct{ name, zone, utc string }{
		{"end of a day", "UTC", "2026-11-27T23:59:59.999Z"},
		{"end of a month", "UTC", "2026-04-30T23:59:59.999Z"},
		{"end of a year", "UTC", "2026-12-31T23:59:59.999Z"},
		{"begin of a leap day", "UTC", "2028-02-29T00:00:00Z"},
		{"end of a leap day", "UTC", "2028-02-29T23:59:59.999Z"},
		{"begin of summer time", "Europe/Berlin", "2027-03-28T00:59:59.999Z"},
		{"end of summer time", "Europe/Berlin", "2026-10-25T00:59:59.999Z"},
		{"end of a local day", "Europe/Berlin", "2026-11-27T22:59:59.999Z"},
		{"a day ahead", "Pacific/Kiritimati", "2026-12-31T10:00:00Z"},
		{"half an hour apart", "America/St_Johns", "2026-03-08T05:30:00Z"},
	} {
		zone, err := time.LoadLocation(m.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, m.utc)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(m.name, func(t *testing.T) { fn(t, at.In(zone)) })
	}
}
