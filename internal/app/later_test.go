package app_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/pushtest"
	"github.com/unhidra/unhidra/internal/wire"
)

// What is scheduled is sent when it is due and told to its owner, reminders are pushed, and bad input is refused.
func TestScheduledMessagesAndReminders(t *testing.T) {
	t.Parallel()
	s, ctx := live.Start(t, testkit.NewFile(t), "UNHIDRA_PRIVATE_NETWORKS=127.0.0.0/8"), t.Context()
	ann, bob := s.User("ann"), s.User("bob")
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Tea"})
	must(t, err)
	must(t, ann.Add(ctx, room.ID, id(t, bob)))
	refusedLater(t, bob, room.ID)
	service := pushtest.NewService(t)
	phone := pushtest.NewBrowser(t, service.URL+"/bob")
	var sub struct{ ID string }
	must(t, bob.Do(ctx, "POST", "/push/subscriptions", phone.Keys(), &sub))

	r := soon(t, func(at time.Time) (client.Reminder, error) {
		return bob.Remind(ctx, client.NewReminder{Key: "r", Text: "water the plants", At: &at})
	})
	later := time.Now().Add(time.Hour)
	again, err := bob.Remind(ctx, client.NewReminder{Key: "r", Text: "again", At: &later})
	if err != nil || again.ID != r.ID {
		t.Errorf("the same key makes another reminder: %+v, %v", again, err)
	}
	if got := pushed(t, service, phone); got.Kind != "reminder" || got.Text != "water the plants" ||
		got.Reason != string(domain.NotifiedRemind) {
		t.Errorf("pushed is %+v", got)
	}
	list, err := bob.Reminders(ctx)
	if err != nil || len(list) != 1 || list[0].Since == nil || list[0].At != nil {
		t.Errorf("after it came: %+v, %v", list, err)
	}

	changes := framesOf[wire.ScheduledChanged](t, bob, wire.TypeScheduled)
	m := soon(t, func(at time.Time) (client.Scheduled, error) {
		return bob.Schedule(ctx, client.NewScheduled{Room: room.ID, Text: "good morning", At: at})
	})
	if got := next(t, changes); got.ID != m.ID || got.Scheduled == nil || got.Scheduled.Text != "good morning" {
		t.Errorf("told is %+v", got)
	}
	if got := next(t, changes); got.ID != m.ID || got.Scheduled != nil {
		t.Errorf("told is %+v", got)
	}
	page, err := ann.Timeline(ctx, room.ID, "", 10)
	must(t, err)
	if n := len(page.Items); page.Items[n-1].Message == nil || page.Items[n-1].Message.Text != "good morning" ||
		page.Items[n-1].Actor.ID != id(t, bob) {
		t.Errorf("the last line is %+v", page.Items[n-1])
	}
}

// soon asks for something a second from now, and for a later time where the server reads the first when it is over.
func soon[T any](t *testing.T, ask func(time.Time) (T, error)) T {
	t.Helper()
	for wait := time.Second; ; wait *= 2 {
		got, err := ask(time.Now().Add(wait))
		if err == nil {
			return got
		}
		if wait > 10*time.Second {
			t.Fatal(err)
		}
	}
}

func refusedLater(t *testing.T, bob *client.Client, room string) {
	t.Helper()
	ctx, at := t.Context(), time.Now().Add(time.Hour)
	past, far := time.Now().Add(-time.Second), time.Now().Add(domain.MaxAhead+time.Hour)
	schedule := func(n client.NewScheduled) error { _, err := bob.Schedule(ctx, n); return err }
	remind := func(n client.NewReminder) error { _, err := bob.Remind(ctx, n); return err }
	every := func(r client.Repeat) error { return remind(client.NewReminder{Text: "tea", Repeat: &r}) }
	sent := func(r client.Repeat) error {
		return schedule(client.NewScheduled{Room: room, Text: "tea", Repeat: &r})
	}
	for what, c := range map[string]struct {
		err  error
		code client.Code
	}{
		"no text":           {schedule(client.NewScheduled{Room: room, At: at}), client.CodeInvalidField},
		"a text of nothing": {schedule(client.NewScheduled{Room: room, Text: " \n", At: at}), client.CodeInvalidField},
		"a text too long": {schedule(client.NewScheduled{Room: room, Text: strings.Repeat("a", domain.MaxText+1), At: at}),
			client.CodeTextTooLong},
		"a time that is over": {schedule(client.NewScheduled{Room: room, Text: "a", At: past}), client.CodeInvalidField},
		"a time too far":      {schedule(client.NewScheduled{Room: room, Text: "a", At: far}), client.CodeInvalidField},
		"what is no room":     {schedule(client.NewScheduled{Room: "kitchen", Text: "a", At: at}), client.CodeNoRoom},
		"a thread of none": {schedule(client.NewScheduled{Room: room, Thread: 99, Text: "a", At: at}),
			client.CodeNoMessage},
		"a bad key": {schedule(client.NewScheduled{Key: "a b", Room: room, Text: "a", At: at}),
			client.CodeInvalidField},
		"nobody's":               {bob.Unschedule(ctx, "sch_1"), client.CodeNoScheduled},
		"a reminder of nothing":  {remind(client.NewReminder{At: &at}), client.CodeInvalidField},
		"a reminder never":       {remind(client.NewReminder{Text: "tea"}), client.CodeInvalidField},
		"a reminder in the past": {remind(client.NewReminder{Text: "tea", At: &past}), client.CodeInvalidField},
		"half a message":         {remind(client.NewReminder{Room: room, At: &at}), client.CodeInvalidField},
		"no message":             {remind(client.NewReminder{Room: room, Seq: 999, At: &at}), client.CodeNoMessage},
		"a long note": {remind(client.NewReminder{Text: strings.Repeat("a", domain.MaxReminderText+1), At: &at}),
			client.CodeInvalidField},
		"no zone":          {every(client.Repeat{Zone: "Here", Time: "09:00", Weekdays: []int{1}}), client.CodeInvalidField},
		"no time":          {every(client.Repeat{Zone: "UTC", Time: "25:00", Weekdays: []int{1}}), client.CodeInvalidField},
		"no day":           {every(client.Repeat{Zone: "UTC", Time: "09:00", Weekdays: []int{8}}), client.CodeInvalidField},
		"no day of months": {sent(client.Repeat{Zone: "UTC", Time: "09:00", MonthDay: 32}), client.CodeInvalidField},
		"two kinds of days": {sent(client.Repeat{Zone: "UTC", Time: "09:00", MonthDay: 1, Weekdays: []int{1}}),
			client.CodeInvalidField},
		"sent in no zone": {sent(client.Repeat{Zone: "Here", Time: "09:00", MonthDay: 1}), client.CodeInvalidField},
		"sent never":      {schedule(client.NewScheduled{Room: room, Text: "a"}), client.CodeInvalidField},
		"skipped nobody's": {func() error { _, err := bob.SkipScheduled(ctx, "sch_1", at); return err }(),
			client.CodeNoScheduled},
		"paused once": {pausedOnce(ctx, bob, room, at), client.CodeInvalidField},
		"done":        {bob.Done(ctx, "rmd_1"), client.CodeNoReminder},
	} {
		if codeOf(c.err) != c.code {
			t.Errorf("%s: %v, want %s", what, c.err, c.code)
		}
	}
}

// pausedOnce pauses a message that does not repeat.
func pausedOnce(ctx context.Context, bob *client.Client, room string, at time.Time) error {
	m, err := bob.Schedule(ctx, client.NewScheduled{Key: "once", Room: room, Text: "a", At: at})
	if err == nil {
		_, err = bob.ChangeScheduled(ctx, m.ID, client.ScheduledChange{Text: "a", At: at, Paused: true})
		err = errors.Join(err, bob.Unschedule(ctx, m.ID))
	}
	return err
}

// What repeats is sent at its times, from the one on that was asked for, and waits for the next one.
func TestScheduledMessagesRepeat(t *testing.T) {
	t.Parallel()
	s, ctx := live.Start(t, testkit.NewFile(t)), t.Context()
	ann := s.User("ann")
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Standup"})
	must(t, err)
	weekdays := &client.Repeat{Zone: "Asia/Kolkata", Time: "09:30", Weekdays: []int{1, 2, 3, 4, 5}}
	inAMonth := time.Now().AddDate(0, 1, 0)
	for what, of := range map[string]func() (time.Time, *client.Repeat, error){
		"scheduled": func() (time.Time, *client.Repeat, error) {
			m, err := ann.Schedule(ctx, client.NewScheduled{Room: room.ID, Text: "standup", At: inAMonth, Repeat: weekdays})
			return m.At, m.Repeat, err
		},
		"a reminder": func() (time.Time, *client.Repeat, error) {
			r, err := ann.Remind(ctx, client.NewReminder{Text: "standup", At: &inAMonth, Repeat: weekdays})
			return *r.At, r.Repeat, err
		},
	} {
		at, repeat, err := of()
		must(t, err)
		zone, err := time.LoadLocation("Asia/Kolkata")
		must(t, err)
		shown := at.In(zone)
		if at.Before(inAMonth) || at.Sub(inAMonth) > 72*time.Hour || shown.Format("15:04") != "09:30" ||
			shown.Weekday() == time.Saturday || shown.Weekday() == time.Sunday || !reflect.DeepEqual(repeat, weekdays) {
			t.Errorf("%s first comes at %s, then %+v", what, shown, repeat)
		}
	}
	list, err := ann.Scheduled(ctx)
	must(t, err)
	seq, err := ann.SendScheduled(ctx, list[0].ID)
	must(t, err)
	after, err := ann.Scheduled(ctx)
	if err != nil || seq == 0 || len(after) != 1 || after[0].State != "waiting" || !after[0].At.After(time.Now()) {
		t.Errorf("after it was sent: %+v, %v", after, err)
	}
}
