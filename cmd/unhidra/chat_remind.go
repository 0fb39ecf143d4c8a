package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/phrase"
)

// remind has the user be reminded of something, at a time by the clock of this computer, and says what it understood.
func (t *chatSession) remind(ctx context.Context, typed string) error {
	now := time.Now()
	shown := time.Date(now.Year(), now.Month(), now.Day(), now.Hour(), now.Minute(), now.Second(), 0, time.UTC)
	r, err := phrase.Read(typed, shown)
	if err != nil {
		return err
	}
	asked := client.NewReminder{Text: r.Text}
	switch {
	case len(r.Weekdays) > 0, r.MonthDay > 0:
		zone, err := t.zone()
		if err != nil {
			return err
		}
		asked.Repeat = &client.Repeat{Zone: zone, Time: time.Time{}.Add(r.Clock).Format("15:04"), MonthDay: r.MonthDay}
		for _, d := range r.Weekdays {
			asked.Repeat.Weekdays = append(asked.Repeat.Weekdays, (int(d)+6)%7+1)
		}
	case r.After > 0:
		at := now.Add(r.After)
		asked.At = &at
	default:
		noon := time.Date(r.At.Year(), r.At.Month(), r.At.Day(), 12, 0, 0, 0, time.Local)
		at := domain.ClockTime(noon, time.Duration(r.At.Hour())*time.Hour+time.Duration(r.At.Minute())*time.Minute)
		asked.At = &at
	}
	var made client.Reminder
	err = t.await(func() (err error) { made, err = t.c.Remind(ctx, asked); return err })
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "* I’ll remind you %s: %s\n", whenIs(made), plain(made.Text))
	return nil
}

// whenIs says when a reminder comes.
func whenIs(r client.Reminder) string {
	if r.Repeat == nil {
		return r.At.Local().Format("on Mon 2006-01-02 at 15:04")
	}
	if r.Repeat.MonthDay > 0 {
		return fmt.Sprintf("every month on day %d at %s (%s)", r.Repeat.MonthDay, r.Repeat.Time, r.Repeat.Zone)
	}
	names := make([]string, len(r.Repeat.Weekdays))
	for i, d := range r.Repeat.Weekdays {
		names[i] = time.Weekday(d % 7).String()[:3]
	}
	days := strings.Join(names, ", ")
	if len(names) == 7 {
		days = "day"
	}
	return fmt.Sprintf("every %s at %s (%s)", days, r.Repeat.Time, r.Repeat.Zone)
}

// zone returns the name of the time zone of this computer, in the IANA database.
func (t *chatSession) zone() (string, error) {
	name := t.tz
	if link, err := os.Readlink("/etc/localtime"); name == "" && err == nil {
		_, name, _ = strings.Cut(link, "zoneinfo/")
	}
	if name == "" && time.Local.String() != "Local" {
		name = time.Local.String()
	}
	if name = strings.TrimPrefix(name, ":"); name == "" {
		return "", errors.New("the time zone of this computer has no name; set TZ, such as TZ=Europe/Berlin")
	}
	return name, nil
}
