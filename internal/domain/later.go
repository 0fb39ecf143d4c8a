package domain

import (
	"slices"
	"strconv"
	"time"
)

// What a person may have done later.
const (
	MaxScheduled    = 100 // messages
	MaxReminders    = 200
	MaxReminderText = 1000                 // characters
	MaxAhead        = 366 * 24 * time.Hour // also of the end of a poll
	// MaxScheduledLate is how late a message may be sent that could not be sent in time.
	MaxScheduledLate = 24 * time.Hour
)

// ScheduledState says how it stands with a scheduled message.
type ScheduledState string

// The states. One that is sent is gone.
const (
	ScheduledWaiting ScheduledState = "waiting"
	ScheduledSending ScheduledState = "sending" // it may have been sent already
	ScheduledFailed  ScheduledState = "failed"  // it is not sent by itself any more
)

// Scheduled is a message that is sent later, once or again and again.
type Scheduled struct {
	ID      string
	User    string
	Room    string
	Thread  int64 // number of its first message; 0: of the room
	Text    string
	Key     string    // that the client chose: the same one schedules no second message
	At      time.Time // when it is sent next
	Repeat  Repeat
	Paused  bool // it repeats, but not for now
	State   ScheduledState
	Failure Code // why it was not sent; of one that waits to be sent again, why it was not sent the last time
	Tries   int
}

// Late reports whether m waits for too long, so that it would be out of place by now.
func (m Scheduled) Late(now time.Time) bool { return m.At.Before(now.Add(-MaxScheduledLate)) }

// Due returns m as it is to be sent now. Of the times of one that repeats that have passed meanwhile, the last one
// counts, and the others do not.
func (m Scheduled) Due(now time.Time) Scheduled {
	if m.Repeat.Zero() {
		return m
	}
	last := m.At
	if long := now.AddDate(0, -2, 0); last.Before(long) { // a month has each of its times
		last = long
	}
	for last = m.Repeat.Next(last); !last.IsZero() && !last.After(now); last = m.Repeat.Next(last) {
		m.At = last
	}
	return m
}

// MessageKey is the idempotency key of the message. Of one that repeats each time has its own.
func (m Scheduled) MessageKey() string {
	if m.Repeat.Zero() {
		return m.ID
	}
	return m.ID + "." + strconv.FormatInt(m.At.UnixMilli(), 36)
}

// Reminder tells a person of something later.
type Reminder struct {
	ID      string
	User    string
	Room    string // of the message; empty: it is about none
	Seq     int64
	Message *Message // as it is now; nil: it is about none
	Text    string
	Key     string    // that the client chose: the same one makes no second reminder
	At      time.Time // when it comes next; zero: no more
	Repeat  Repeat
	FiredAt time.Time // since when it asks to be seen to; zero: it does not
}

// Repeat is a time of day on days of the week, or on a day of each month, by the clocks of a zone. The zero value is
// never.
type Repeat struct {
	Zone     string         // of the IANA database
	Time     time.Duration  // after midnight, as clocks show it
	Weekdays []time.Weekday // sorted
	MonthDay int            // 1 to 31; the last day of shorter months. 0: it is by weekdays
}

// Zero reports whether r is never.
func (r Repeat) Zero() bool { return len(r.Weekdays) == 0 && r.MonthDay == 0 }

// From returns the first time of r from another on, or zero if its zone is unknown.
func (r Repeat) From(at time.Time) time.Time { return r.Next(at.Add(-time.Nanosecond)) }

// Next returns the first time of r after another, or zero if its zone is unknown.
func (r Repeat) Next(after time.Time) time.Time {
	zone, err := time.LoadLocation(r.Zone)
	if err != nil || r.Zero() {
		return time.Time{}
	}
	y, month, d := after.In(zone).Date()
	if r.MonthDay > 0 {
		return r.nextMonth(after, y, month, zone)
	}
	for day := range 15 { // a zone may leave out a day
		noon := time.Date(y, month, d+day, 12, 0, 0, 0, zone)
		if at := ClockTime(noon, r.Time); slices.Contains(r.Weekdays, noon.Weekday()) && at.After(after) {
			return at.UTC()
		}
	}
	return time.Time{}
}

// nextMonth returns the first time of r after another, in a month or one of those that follow it.
func (r Repeat) nextMonth(after time.Time, y int, month time.Month, zone *time.Location) time.Time {
	for more := range time.Month(3) {
		last := time.Date(y, month+more+1, 0, 12, 0, 0, 0, time.UTC).Day()
		noon := time.Date(y, month+more, min(r.MonthDay, last), 12, 0, 0, 0, zone)
		if at := ClockTime(noon, r.Time); at.After(after) {
			return at.UTC()
		}
	}
	return time.Time{}
}

// ClockTime returns when clocks show a time of day on the day of date, in its zone. A time that is skipped when summer
// time begins is as much later; of one that clocks show twice it is the first.
func ClockTime(date time.Time, of time.Duration) time.Time {
	y, month, d := date.Date()
	t := time.Date(y, month, d, 0, int(of/time.Minute), 0, 0, date.Location())
	wanted := time.Date(y, month, d, 0, int(of/time.Minute), 0, 0, time.UTC)
	shown := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
	if shown.Before(wanted) { // time.Date may choose either side of a gap
		return t.Add(wanted.Sub(shown))
	}
	_, offset := t.Zone()
	_, before := t.Add(-3 * time.Hour).Zone()
	if earlier := t.Add(-time.Duration(before-offset) * time.Second); before > offset &&
		earlier.Hour() == t.Hour() && earlier.Minute() == t.Minute() {
		return earlier
	}
	return t
}

// CheckRepeat refuses what is no time of a week or month, and returns the others in their usual form.
func CheckRepeat(r Repeat) (Repeat, error) {
	if !isZone(r.Zone) {
		return r, InvalidField("/repeat/zone", "name a time zone, such as Europe/Berlin")
	}
	if r.Time < 0 || r.Time >= 24*time.Hour {
		return r, InvalidField("/repeat/time", "this is a time of day, such as 09:30")
	}
	if r.MonthDay != 0 {
		if r.MonthDay < 1 || r.MonthDay > 31 {
			return r, InvalidField("/repeat/month_day",
				"days of a month are 1 to 31; months that are shorter have the last day instead")
		}
		if len(r.Weekdays) > 0 {
			return r, InvalidField("/repeat/month_day", "name days of the week or a day of the month, and not both")
		}
		return r, nil
	}
	r.Weekdays = slices.Compact(slices.Sorted(slices.Values(r.Weekdays)))
	if r.Zero() || r.Weekdays[0] < time.Sunday || r.Weekdays[len(r.Weekdays)-1] > time.Saturday {
		return r, InvalidField("/repeat/weekdays", "days are 1, which is Monday, to 7, and there is at least one")
	}
	return r, nil
}

// CheckAhead refuses times that are over, and those that are too far ahead.
func CheckAhead(pointer string, at, now time.Time) error {
	if !at.After(now) {
		return InvalidField(pointer, "this time is over; choose one that is still to come")
	}
	if at.After(now.Add(MaxAhead)) {
		return InvalidField(pointer, "this is more than a year ahead; choose a time that is nearer")
	}
	return nil
}
