package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// testdata/notify.json is the table of the decision: what a message is to somebody, what they have chosen, and why
// they are told.
func TestWhoIsToldOfAMessage(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/notify.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Is                    string // words: direct, named, names-room, follows, keyword, reply
		Account, Room, Thread NotifyLevel
		Told                  NotifyReason
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		is := func(word string) bool { return slices.Contains(strings.Fields(c.Is), word) }
		a := Addressed{Account: c.Account, Room: c.Room, Thread: c.Thread, Direct: is("direct"), Named: is("named"),
			NamesRoom: is("names-room"), Follows: is("follows"), Keyword: is("keyword"), Main: !is("reply")}
		if got := a.Reason(); got != c.Told {
			t.Errorf("%+v: told by reason %q", c, got)
		}
	}
}

func TestQuietHours(t *testing.T) {
	t.Parallel()
	night := QuietSpan{Weekdays: []time.Weekday{1, 2, 3, 4, 5}, Start: 22 * time.Hour, End: 7 * time.Hour}
	weekend := QuietSpan{Weekdays: []time.Weekday{0, 6}, Start: 0, End: 0}
	q := QuietHours{Zone: "Europe/Berlin", Spans: []QuietSpan{night, weekend}}
	for at, want := range map[string]string{
		"2026-11-25T20:59:00Z": "",                     // Wednesday, 21:59
		"2026-11-25T21:00:00Z": "2026-11-26T06:00:00Z", // 22:00
		"2026-11-26T05:59:00Z": "2026-11-26T06:00:00Z",
		"2026-11-26T06:00:00Z": "",
		"2026-11-27T21:30:00Z": "2026-11-29T23:00:00Z", // Friday night meets the weekend, which ends at midnight
		"2026-11-29T23:00:00Z": "",                     // Sunday is no day on which a night begins
		"2026-10-24T20:30:00Z": "2026-10-25T23:00:00Z", // the clocks go back on Sunday: it ends by clocks in the zone
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		until, quiet := q.Until(now)
		if got := until.Format(time.RFC3339); quiet != (want != "") || quiet && got != want {
			t.Errorf("%s: %v until %s, not %s", at, quiet, got, want)
		}
		paused := NotifySettings{Quiet: q, PausedUntil: now.Add(time.Minute)}
		if until, silent := paused.Silent(now); !silent || until.Before(paused.PausedUntil) {
			t.Errorf("%s: paused, and silent until %s", at, until)
		}
	}
	always := QuietHours{Zone: "UTC", Spans: []QuietSpan{{Weekdays: []time.Weekday{0, 1, 2, 3, 4, 5, 6}}}}
	if until, quiet := always.Until(time.Unix(1_800_000_000, 0)); !quiet || until.Unix() <= 1_800_000_000 {
		t.Errorf("a week that is quiet throughout is quiet until %s", until)
	}
}

// A clock that skips a time, which may be midnight, or shows one twice does not move quiet hours to another day.
func TestQuietHoursWhereClocksChange(t *testing.T) {
	t.Parallel()
	hours := func(zone string, day time.Weekday, start, end time.Duration) QuietHours {
		return QuietHours{Zone: zone, Spans: []QuietSpan{{Weekdays: []time.Weekday{day}, Start: start, End: end}}}
	}
	santiago := hours("America/Santiago", time.Sunday, 0, 7*time.Hour) // on 6 September 2026 its first hour is skipped
	saturday := hours("America/Santiago", time.Saturday, 0, 7*time.Hour)
	skipped := hours("Europe/Berlin", time.Sunday, 2*time.Hour+30*time.Minute, 4*time.Hour) // 29 March 2026
	twice := hours("Europe/Berlin", time.Sunday, 2*time.Hour+30*time.Minute, 4*time.Hour)   // 25 October 2026
	for _, c := range []struct {
		q        QuietHours
		at, want string
	}{
		{santiago, "2026-09-06T03:59:00Z", ""}, // Saturday, 23:59
		{santiago, "2026-09-06T04:00:00Z", "2026-09-06T10:00:00Z"},
		{santiago, "2026-09-06T10:00:00Z", ""},
		{saturday, "2026-09-06T04:30:00Z", ""},
		{saturday, "2026-09-05T10:59:00Z", "2026-09-05T11:00:00Z"},
		{skipped, "2026-03-29T01:29:00Z", ""}, // 03:29
		{skipped, "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"},
		{twice, "2026-10-25T00:29:00Z", ""},
		{twice, "2026-10-25T00:30:00Z", "2026-10-25T03:00:00Z"},
		{twice, "2026-10-25T01:29:00Z", "2026-10-25T03:00:00Z"}, // 02:29 again
	} {
		now, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		until, quiet := c.q.Until(now)
		if got := until.Format(time.RFC3339); quiet != (c.want != "") || quiet && got != c.want {
			t.Errorf("%s %v at %s: %v until %s, not %s", c.q.Zone, c.q.Spans, c.at, quiet, got, c.want)
		}
	}
}

func TestNotifySettingsAreChecked(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	span := QuietSpan{Weekdays: []time.Weekday{1}, Start: time.Hour, End: 2 * time.Hour}
	for field, s := range map[string]NotifySettings{
		"/level":        {Level: "loud"},
		"/keywords":     {Keywords: []string{strings.Repeat("x", MaxKeyword+1)}},
		"/paused_until": {PausedUntil: now.Add(MaxNotifyPause + time.Hour)},
		"/quiet/zone":   {Quiet: QuietHours{Zone: "Nowhere", Spans: []QuietSpan{span}}},
		"/quiet/spans":  {Quiet: QuietHours{Zone: "UTC", Spans: []QuietSpan{{Start: time.Hour}}}},
	} {
		var e *Error
		if _, err := CheckNotifySettings(s, now); !errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Pointer != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	many := NotifySettings{Keywords: make([]string, MaxKeywords+1)}
	for i := range many.Keywords {
		many.Keywords[i] = fmt.Sprint("word", i)
	}
	if _, err := CheckNotifySettings(many, now); KindOf(err) != Invalid {
		t.Errorf("%d keywords: %v", len(many.Keywords), err)
	}
	many.Keywords = many.Keywords[1:]
	if _, err := CheckNotifySettings(many, now); err != nil {
		t.Errorf("%d keywords: %v", len(many.Keywords), err)
	}
	s, err := CheckNotifySettings(NotifySettings{Keywords: []string{" Tea ", "tea", "Café"}}, now)
	if err != nil || !slices.Equal(s.Keywords, []string{"Tea", "Café"}) {
		t.Errorf("%+v %v", s, err)
	}
}
