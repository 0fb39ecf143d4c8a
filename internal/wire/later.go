package wire

import (
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Scheduled is a message that the user sends later.
type Scheduled struct {
	ID      string    `json:"id"`
	Room    string    `json:"room"`
	Thread  int64     `json:"thread,omitempty" doc:"seq of its first message; absent: of the room"`
	Text    string    `json:"text"`
	At      time.Time `json:"at" doc:"when it is sent, the next time if it repeats"`
	Repeat  *Repeat   `json:"repeat,omitempty" doc:"when it is sent again and again; absent: it is sent once"`
	Paused  bool      `json:"paused,omitempty" doc:"it repeats, but not for now: at counts no more"`
	State   string    `json:"state" enum:"waiting,sending,failed" doc:"failed: it is not sent by itself any more"`
	Failure string    `json:"failure,omitempty" doc:"code of the error; while it waits, of its last time"`
}

// ScheduledChanged is a scheduled message as it is now.
type ScheduledChanged struct {
	ID        string     `json:"id"`
	Scheduled *Scheduled `json:"scheduled,omitempty" doc:"absent: it was sent or deleted"`
}

// Repeat is a time of day on some days of each week, or on a day of each month.
type Repeat struct {
	Zone     string `json:"zone" maxLength:"64" example:"Europe/Berlin"`
	Time     string `json:"time" pattern:"^[0-2][0-9]:[0-5][0-9]$" example:"09:00" doc:"by clocks in the zone"`
	Weekdays []int  `json:"weekdays,omitempty" nullable:"false" maxItems:"7" doc:"from 1, Monday, to 7; none with month_day"`
	MonthDay int    `json:"month_day,omitempty" doc:"1 to 31; the last day of months that are shorter"`
}

// Reminder tells the user of something later.
type Reminder struct {
	ID      string     `json:"id"`
	Text    string     `json:"text,omitempty"`
	Message *Message   `json:"message,omitempty" doc:"that it is about; absent: none"`
	At      *time.Time `json:"at,omitempty" doc:"when it comes next; absent: no more"`
	Repeat  *Repeat    `json:"repeat,omitempty" doc:"when it comes again and again; absent: it comes once"`
	Since   *time.Time `json:"since,omitempty" doc:"when it came; absent: it asks for nothing now"`
}

// ReminderChanged is a reminder as it is now.
type ReminderChanged struct {
	ID       string    `json:"id"`
	Reminder *Reminder `json:"reminder,omitempty" doc:"absent: it is done or deleted"`
}

// FromScheduled is the wire's view of m.
func FromScheduled(m domain.Scheduled) Scheduled {
	return Scheduled{ID: m.ID, Room: m.Room, Thread: m.Thread, Text: m.Text, At: m.At, State: string(m.State),
		Failure: string(m.Failure), Repeat: fromRepeat(m.Repeat), Paused: m.Paused}
}

// FromReminder is the wire's view of r.
func FromReminder(r domain.Reminder) Reminder {
	v := Reminder{ID: r.ID, Text: r.Text, At: opt(r.At), Repeat: fromRepeat(r.Repeat), Since: opt(r.FiredAt)}
	if r.Message != nil {
		m := FromMessage(*r.Message)
		v.Message = &m
	}
	return v
}

func fromRepeat(r domain.Repeat) *Repeat {
	if r.Zero() {
		return nil
	}
	return &Repeat{Zone: r.Zone, Time: clock(r.Time), Weekdays: days(r.Weekdays), MonthDay: r.MonthDay}
}

// Value returns the times that v shows. What is no time of day becomes negative.
func (v Repeat) Value() domain.Repeat {
	return domain.Repeat{Zone: v.Zone, Time: timeOfDay(v.Time), Weekdays: weekdays(v.Weekdays),
		MonthDay: v.MonthDay}
}

// days are days of the week as numbers from 1, which is Monday.
func days(of []time.Weekday) []int {
	shown := []int{}
	for _, d := range of {
		shown = append(shown, (int(d)+6)%7+1)
	}
	slices.Sort(shown)
	return shown
}

// weekdays are the days with these numbers. If one is no day, there is only one that is none.
func weekdays(shown []int) (all []time.Weekday) {
	for _, d := range shown {
		if d < 1 || d > 7 {
			return []time.Weekday{-1}
		}
		all = append(all, time.Weekday(d%7))
	}
	return all
}
