package personal_test

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func scheduled(user, room, key string, at time.Time) domain.Scheduled {
	return domain.Scheduled{ID: "sch_" + key, User: user, Room: room, Text: "good morning", Key: key, At: at}
}

// A scheduled message is leased by one at a time, and is not changed meanwhile. Whoever lost the lease changes nothing.
func TestAScheduledMessageIsLeased(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.UnixMilli(1_800_000_000_000)
		room, user := testkit.Room(t, db, 2), testkit.UserID(1)
		claim := func(at time.Time) []domain.Scheduled {
			t.Helper()
			got, err := db.Personal.ClaimScheduled(ctx, 10, time.Minute, at)
			must(t, err)
			return got
		}
		m, repeat, err := db.Personal.Schedule(ctx, scheduled(user, room, "1", now.Add(time.Hour)), now)
		if err != nil || repeat || m.State != domain.ScheduledWaiting {
			t.Fatalf("%+v %v %v", m, repeat, err)
		}
		again := scheduled(user, room, "1", now.Add(2*time.Hour))
		again.ID = "sch_other"
		if kept, repeat, err := db.Personal.Schedule(ctx, again, now); err != nil || !repeat || !reflect.DeepEqual(kept, m) {
			t.Errorf("again: %+v %v %v", kept, repeat, err)
		}
		m, err = db.Personal.Reschedule(ctx, user, m.ID, domain.Scheduled{Text: "good evening", At: now.Add(3 * time.Hour)})
		must(t, err)
		if due := claim(now.Add(2 * time.Hour)); len(due) != 0 {
			t.Errorf("too early: %+v", due)
		}
		due := now.Add(3 * time.Hour)
		first := claim(due)
		if len(first) != 1 || first[0].Text != "good evening" || first[0].State != domain.ScheduledSending ||
			first[0].Tries != 1 || len(claim(due)) != 0 {
			t.Fatalf("claimed %+v", first)
		}
		for what, err := range map[string]error{
			"changed": second(db.Personal.Reschedule(ctx, user, m.ID, domain.Scheduled{Text: "x", At: due})),
			"skipped": second(db.Personal.SkipScheduled(ctx, user, m.ID, due, due)),
			"deleted": db.Personal.Unschedule(ctx, user, m.ID),
			"taken":   func() error { _, err := db.Personal.TakeScheduled(ctx, user, m.ID, time.Minute, due); return err }(),
		} {
			if domain.CodeOf(err) != domain.CodeScheduledSending {
				t.Errorf("%s while it is sent: %v", what, err)
			}
		}
		second := claim(due.Add(time.Minute)) // whoever had it has died
		if len(second) != 1 || second[0].Tries != 2 {
			t.Fatalf("claimed %+v", second)
		}
		must(t, db.Personal.FinishScheduled(ctx, first[0]))
		must(t, db.Personal.RetryScheduled(ctx, second[0], due.Add(time.Hour)))
		if len(claim(due.Add(time.Hour-time.Second))) != 0 {
			t.Error("tried again too early")
		}
		third := claim(due.Add(time.Hour))
		must(t, db.Personal.FailScheduled(ctx, third[0], domain.CodeNotAMember))
		list, err := db.Personal.Scheduled(ctx, user)
		if err != nil || len(list) != 1 || list[0].State != domain.ScheduledFailed ||
			list[0].Failure != domain.CodeNotAMember || len(claim(due.Add(48*time.Hour))) != 0 {
			t.Errorf("failed is %+v, %v", list, err)
		}
		taken, err := db.Personal.TakeScheduled(ctx, user, m.ID, time.Minute, due.Add(48*time.Hour))
		if err != nil || taken.Tries != 4 || !taken.At.Equal(due.Add(48*time.Hour)) || taken.Failure != "" {
			t.Errorf("taken %+v, %v", taken, err)
		}
		must(t, db.Personal.FinishScheduled(ctx, taken))
		if n := count(t, db, "scheduled_messages"); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

// Several workers claim each message once.
func TestEachScheduledMessageIsClaimedOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, user := testkit.Room(t, db, 2), testkit.UserID(1)
		const n = 20
		for i := range n {
			_, _, err := db.Personal.Schedule(ctx, scheduled(user, room, fmt.Sprint(i), now), now)
			must(t, err)
		}
		var mu sync.Mutex
		seen := map[string]int{}
		work := func() {
			for {
				got, err := db.Personal.ClaimScheduled(ctx, 3, time.Hour, now)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				for _, m := range got {
					seen[m.ID]++
				}
				mu.Unlock()
				if len(got) == 0 {
					return
				}
			}
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(work)
		}
		wg.Wait()
		work() // what others had locked when the last one looked
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s was claimed %d times", id, times)
			}
		}
		if len(seen) != n {
			t.Errorf("%d of %d were claimed", len(seen), n)
		}
	})
}

// Nobody schedules what they may not write, or touches what is not theirs.
func TestWhatIsNotScheduled(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, user := testkit.Room(t, db, 3), testkit.UserID(1)
		must(t, second(db.Rooms.Mute(ctx, testkit.UserID(0), room, testkit.UserID(2), now.Add(time.Hour), now)))
		inThread := scheduled(user, room, "t", now)
		inThread.Thread = 1000
		for what, c := range map[string]struct {
			m    domain.Scheduled
			code domain.Code
		}{
			"no member": {scheduled(testkit.UserID(7), room, "1", now), domain.CodeNotAMember},
			"no room":   {scheduled(user, domain.NewID(domain.RoomPrefix), "1", now), domain.CodeNoRoom},
			"muted":     {scheduled(testkit.UserID(2), room, "1", now), domain.CodeMuted},
			"no thread": {inThread, domain.CodeNoMessage},
		} {
			if _, _, err := db.Personal.Schedule(ctx, c.m, now); domain.CodeOf(err) != c.code {
				t.Errorf("%s: %v", what, err)
			}
		}
		m, _, err := db.Personal.Schedule(ctx, scheduled(user, room, "1", now.Add(time.Hour)), now)
		must(t, err)
		if err := db.Personal.Unschedule(ctx, testkit.UserID(0), m.ID); domain.CodeOf(err) != domain.CodeNoScheduled {
			t.Errorf("somebody else deletes it: %v", err)
		}
		fill(t, db, `INSERT INTO scheduled_messages (id, user_id, room_id, thread, text, key, at, state, failure, due_at)
			VALUES `, domain.MaxScheduled-1, func(i int) string {
			return fmt.Sprintf("('x%d', '%s', '%s', 0, 'x', 'x%d', 1, 'failed', 'muted', 0)", i, user, room, i)
		})
		_, _, err = db.Personal.Schedule(ctx, scheduled(user, room, "2", now), now)
		if domain.CodeOf(err) != domain.CodeTooManyScheduled {
			t.Errorf("one more: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// A reminder comes once for each of its times, on any number of nodes, and those that nobody was there for come once
// together.
func TestAReminderComesOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC) // a Saturday
		room, user := testkit.Room(t, db, 2), testkit.UserID(1)
		said := testkit.Say(t, db, testkit.UserID(0), room, "a", "please answer")
		daily := domain.Repeat{Zone: "Europe/Berlin", Time: 9 * time.Hour, Weekdays: []time.Weekday{0, 1, 2, 3, 4, 5, 6}}
		for _, r := range []domain.Reminder{
			{ID: "rmd_1", Key: "1", Room: room, Seq: said.Seq, At: now.Add(time.Hour)},
			{ID: "rmd_2", Key: "2", Text: "plants", At: daily.Next(now), Repeat: daily},
		} {
			r.User = user
			kept, repeat, err := db.Personal.Remind(ctx, r, now)
			if err != nil || repeat {
				t.Fatal(kept, err)
			}
			if _, repeat, err = db.Personal.Remind(ctx, r, now); err != nil || !repeat {
				t.Errorf("again: %v, %v", repeat, err)
			}
		}
		fire := func(at time.Time) (ids string) {
			t.Helper()
			var wg sync.WaitGroup
			var mu sync.Mutex
			for range 3 {
				wg.Go(func() {
					fired, err := db.Personal.FireReminders(ctx, 10, at)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					for _, r := range fired {
						ids += r.ID
					}
				})
			}
			wg.Wait()
			return ids
		}
		sunday := time.Date(2026, 3, 29, 7, 0, 0, 0, time.UTC) // nine o'clock, in summer time
		for _, c := range []struct {
			at   time.Time
			want string
		}{
			{now, ""}, {now.Add(time.Hour), "rmd_1"}, {now.Add(time.Hour), ""},
			{sunday.Add(-time.Second), ""}, {sunday, "rmd_2"}, {sunday, ""},
			{sunday.Add(80 * time.Hour), "rmd_2"}, {sunday.Add(80 * time.Hour), ""},
		} {
			if got := fire(c.at); got != c.want {
				t.Errorf("at %s came %q, not %q", c.at, got, c.want)
			}
		}
		list, err := db.Personal.Reminders(ctx, user)
		if err != nil || len(list) != 2 || list[0].ID != "rmd_1" || list[0].Message == nil ||
			list[0].Message.Text != "please answer" || !list[0].At.IsZero() || list[0].FiredAt.IsZero() {
			t.Fatalf("%+v, %v", list, err)
		}
		if want := sunday.Add(96 * time.Hour); !list[1].At.Equal(want) {
			t.Errorf("next at %s, not %s", list[1].At, want)
		}
		must(t, db.Personal.ChangeReminder(ctx, user, "rmd_1", sunday))
		if got := fire(sunday); got != "rmd_1" {
			t.Errorf("put off, %q came", got)
		}
		must(t, db.Personal.ReminderDone(ctx, user, "rmd_1"))
		must(t, db.Personal.ReminderDone(ctx, user, "rmd_2"))
		list, err = db.Personal.Reminders(ctx, user)
		if err != nil || len(list) != 1 || list[0].ID != "rmd_2" || !list[0].FiredAt.IsZero() {
			t.Errorf("done, %+v is left: %v", list, err)
		}
		stopped, stop := context.WithCancel(ctx)
		stop()
		if _, err := db.Personal.Reminder(stopped, user, "rmd_2"); err == nil || domain.CodeOf(err) != "" {
			t.Errorf("what the database does not answer is taken for an answer: %v", err)
		}
		must(t, db.Personal.DeleteReminder(ctx, user, "rmd_2"))
		for what, err := range map[string]error{"done": db.Personal.ReminderDone(ctx, user, "rmd_2"),
			"changed": db.Personal.ChangeReminder(ctx, user, "rmd_2", now),
			"deleted": db.Personal.DeleteReminder(ctx, user, "rmd_2"),
			"read":    second(db.Personal.Reminder(ctx, user, "rmd_2"))} {
			if domain.CodeOf(err) != domain.CodeNoReminder {
				t.Errorf("%s after it was deleted: %v", what, err)
			}
		}
	})
}

func TestRemindersAreBounded(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	testkit.Room(t, db, 1)
	user, now := testkit.UserID(0), time.Now()
	fill(t, db, `INSERT INTO reminders (id, user_id, text, key, zone, minute, weekdays, due_at) VALUES `,
		domain.MaxReminders, func(i int) string { return fmt.Sprintf("('r%d', '%s', 'x', 'k%d', '', 0, 0, 1)", i, user, i) })
	_, _, err := db.Personal.Remind(t.Context(), domain.Reminder{ID: domain.NewID(domain.ReminderPrefix), User: user,
		Text: "tea", Key: "one more", At: now.Add(time.Hour)}, now)
	if domain.CodeOf(err) != domain.CodeTooManyReminders {
		t.Errorf("one more: %v", err)
	}
}

// A push about a reminder goes to each browser, until the reminder is done.
func TestAReminderIsPushed(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.UnixMilli(1_800_000_000_000)
		room, user := testkit.Room(t, db, 2), testkit.UserID(1)
		said := testkit.Say(t, db, testkit.UserID(0), room, "a", "please answer")
		must(t, db.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO sessions (id, user_id, created_at, last_seen_at, idle_expires,
				expires_at, auth_at, amr) VALUES ('ses_1', $1, $2, $2, $3, $3, $2, 'pwd')`, user, store.Millis(now),
				store.Millis(now.Add(72*time.Hour)))
			return err
		}))
		_, err := db.Notifications.Subscribe(ctx, domain.Subscription{ID: "psh_1", User: user, Session: "ses_1",
			Endpoint: "https://push.example.org/1", Key: []byte("key"), Auth: []byte("auth"), CreatedAt: now})
		must(t, err)
		for _, r := range []domain.Reminder{{ID: "rmd_1", Key: "1", Room: room, Seq: said.Seq}, {ID: "rmd_2", Key: "2",
			Text: "plants"}} {
			r.User, r.At = user, now
			must(t, func() error { _, _, err := db.Personal.Remind(ctx, r, now); return err }())
		}
		must(t, second(db.Personal.FireReminders(ctx, 10, now)))
		due, err := db.Notifications.Claim(ctx, 10, time.Minute, now)
		if n, err2 := db.Notifications.Waiting(ctx); err != nil || err2 != nil || len(due) != 2 || n != 2 {
			t.Fatalf("%+v, %d wait: %v, %v", due, n, err, err2)
		}
		for _, p := range due {
			st, err := db.Notifications.State(ctx, p, now)
			if err != nil || st.Count != 1 || st.Reason != domain.NotifiedRemind || st.Reminder == nil ||
				(p.Reminder == "rmd_1") != (st.Last.Seq == said.Seq && st.Name == "Lobby") {
				t.Errorf("%+v, %v", st, err)
			}
			must(t, db.Personal.ReminderDone(ctx, user, p.Reminder))
			if st, err := db.Notifications.State(ctx, p, now); err != nil || st.Count != 0 {
				t.Errorf("done: %+v, %v", st, err)
			}
		}
		if n, err := db.Notifications.Waiting(ctx); err != nil || n != 0 {
			t.Errorf("%d wait, %v", n, err)
		}
		daily := domain.Repeat{Zone: "UTC", Weekdays: []time.Weekday{0, 1, 2, 3, 4, 5, 6}}
		_, _, err = db.Personal.Remind(ctx, domain.Reminder{ID: "rmd_3", User: user, Key: "3", Text: "tea", At: now,
			Repeat: daily}, now)
		must(t, err)
		must(t, second(db.Personal.FireReminders(ctx, 10, now)))
		due, err = db.Notifications.Claim(ctx, 10, time.Minute, now)
		if err != nil || len(due) != 1 {
			t.Fatal(due, err)
		}
		must(t, db.Notifications.Postpone(ctx, due[0], 0, now.Add(time.Minute)))
		must(t, second(db.Personal.FireReminders(ctx, 10, daily.Next(now)))) // comes again before it was sent
		must(t, db.Notifications.Finish(ctx, due[0], true, now))
		if n, err := db.Notifications.Waiting(ctx); err != nil || n != 1 {
			t.Errorf("%d wait for the next one, %v", n, err)
		}
	})
}

// What is scheduled stays with who leaves the room, so that they read that it was not sent. Reminders of messages go
// with the message and with the room, and all goes with the account.
func TestWhatIsForLaterGoesWithItsOwner(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 3)
		kept := testkit.Say(t, db, testkit.UserID(0), room, "a", "stays")
		gone := testkit.Say(t, db, testkit.UserID(0), room, "b", "goes")
		for i := range 2 {
			user := testkit.UserID(i + 1)
			must(t, func() error {
				_, _, err := db.Personal.Schedule(ctx, scheduled(user, room, fmt.Sprint(i), now.Add(time.Hour)), now)
				return err
			}())
			for j, r := range []domain.Reminder{{Room: room, Seq: kept.Seq}, {Room: room, Seq: gone.Seq}, {Text: "tea"}} {
				r.ID, r.Key, r.User, r.At = fmt.Sprint(i, j), fmt.Sprint(j), user, now.Add(time.Hour)
				must(t, func() error { _, _, err := db.Personal.Remind(ctx, r, now); return err }())
			}
		}
		want := func(what string, messages, reminders int) {
			t.Helper()
			if s, r := count(t, db, "scheduled_messages"), count(t, db, "reminders"); s != messages || r != reminders {
				t.Errorf("%s: %d messages, %d reminders", what, s, r)
			}
		}
		want("all", 2, 6)
		must(t, second(db.Messages.DeleteMessage(ctx, testkit.UserID(0), room, gone.Seq, now)))
		want("a message was deleted", 2, 4)
		must(t, second(db.Departure.Leave(ctx, testkit.UserID(1), room, now)))
		want("one has left", 2, 3)
		must(t, db.Departure.DeleteUser(ctx, testkit.UserID(1), now))
		must(t, second(db.Messages.Purge(ctx, room, domain.PurgeStep{Before: now.Add(time.Hour), Limit: 100})))
		want("an account and messages are gone", 1, 1)
		must(t, second(db.Rooms.DeleteRoom(ctx, testkit.UserID(0), room, now)))
		if list, err := db.Personal.Scheduled(ctx, testkit.UserID(2)); err != nil || len(list) != 0 {
			t.Errorf("of a room that is gone: %+v, %v", list, err)
		}
		if due, err := db.Personal.ClaimScheduled(ctx, 9, time.Minute, now.Add(time.Hour)); err != nil || len(due) != 0 {
			t.Errorf("due in a room that is gone: %+v, %v", due, err)
		}
	})
}

// What is due of a disabled account waits until the account is enabled again.
func TestADisabledAccountSendsNothing(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, user := testkit.Room(t, db, 2), testkit.UserID(1)
		must(t, func() error { _, _, err := db.Personal.Schedule(ctx, scheduled(user, room, "1", now), now); return err }())
		for _, disabled := range []bool{true, false} {
			must(t, db.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
				tx.Invalidate()
				_, err := tx.ExecContext(ctx, `UPDATE users SET disabled = $2 WHERE id = $1`, user, disabled)
				return err
			}))
			due, err := db.Personal.ClaimScheduled(ctx, 9, time.Minute, now)
			if err != nil || len(due) == 1 == disabled {
				t.Errorf("disabled %v: %+v, %v", disabled, due, err)
			}
		}
	})
}

// A message that repeats waits for its next time after each, can be left out once or paused, and is not due by the
// column that programs read which would send it once.
func TestAScheduledMessageRepeats(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Date(2026, 1, 30, 12, 0, 0, 0, time.UTC)
		room, user := testkit.Room(t, db, 2), testkit.UserID(1)
		m := scheduled(user, room, "1", time.Time{})
		m.Repeat = domain.Repeat{Zone: "Europe/Berlin", Time: 9 * time.Hour, MonthDay: 31}
		m.At = m.Repeat.Next(now)
		kept, _, err := db.Personal.Schedule(ctx, m, now)
		must(t, err)
		day := func(month time.Month, d, hour int) time.Time {
			return time.Date(2026, month, d, hour, 0, 0, 0, time.UTC)
		}
		is := func(what string, got domain.Scheduled, at time.Time, err error) {
			t.Helper()
			list, err2 := db.Personal.Scheduled(ctx, user)
			if err != nil || err2 != nil || !got.At.Equal(at) || len(list) != 1 ||
				!reflect.DeepEqual(list[0].Repeat, m.Repeat) || !list[0].At.Equal(at) ||
				list[0].Paused != got.Paused || list[0].State != got.State {
				t.Fatalf("%s: %+v, listed %+v; not at %s: %v, %v", what, got, list, at, err, err2)
			}
		}
		is("scheduled", kept, day(1, 31, 8), nil)
		var due int
		must(t, db.QueryRowContext(ctx, `SELECT count(*) FROM scheduled_messages WHERE due_at > 0`).Scan(&due))
		claim := func(at time.Time) []domain.Scheduled {
			t.Helper()
			got, err := db.Personal.ClaimScheduled(ctx, 10, time.Minute, at)
			must(t, err)
			return got
		}
		got := claim(kept.At)
		if due != 0 || len(got) != 1 || len(claim(kept.At)) != 0 {
			t.Fatalf("claimed %+v, %d due otherwise", got, due)
		}
		must(t, db.Personal.RetryScheduled(ctx, got[0], kept.At.Add(time.Second)))
		must(t, db.QueryRowContext(ctx, `SELECT count(*) FROM scheduled_messages WHERE due_at > 0`).Scan(&due))
		again := claim(kept.At.Add(time.Second))
		if due != 0 || len(again) != 1 || again[0].Tries != 2 {
			t.Fatalf("tried again %+v, %d due otherwise", again, due)
		}
		_, err = db.Personal.AdvanceScheduled(ctx, got[0], "", kept.At) // somebody else has it by now
		must(t, err)
		if list, err := db.Personal.Scheduled(ctx, user); err != nil || list[0].State != domain.ScheduledSending {
			t.Errorf("%+v, %v", list, err)
		}
		next, err := db.Personal.AdvanceScheduled(ctx, again[0], domain.CodeScheduledLate, kept.At)
		if is("advanced", next, day(2, 28, 8), err); next.Failure != domain.CodeScheduledLate {
			t.Errorf("not sent because of %q", next.Failure)
		}
		skip := func(at time.Time) (domain.Scheduled, error) {
			return db.Personal.SkipScheduled(ctx, user, m.ID, at, day(2, 1, 0))
		}
		if _, err := skip(day(3, 1, 0)); domain.CodeOf(err) != domain.CodeInvalidField {
			t.Errorf("skipped what is not next: %v", err)
		}
		for range 2 { // an answer may be lost
			next, err = skip(day(2, 28, 8))
			is("skipped", next, day(3, 31, 7), err)
		}
		if len(claim(day(3, 31, 6))) != 0 {
			t.Error("a time that is left out is due")
		}
		next.Paused = true
		next, err = db.Personal.Reschedule(ctx, user, m.ID, next)
		is("paused", next, day(3, 31, 7), err)
		if len(claim(day(4, 30, 12))) != 0 {
			t.Error("what is paused is due")
		}
		taken, err := db.Personal.TakeScheduled(ctx, user, m.ID, time.Minute, day(4, 1, 0))
		must(t, err)
		next, err = db.Personal.AdvanceScheduled(ctx, taken, "", day(4, 1, 0))
		if is("sent while it is paused", next, day(4, 30, 7), err); len(claim(day(4, 30, 12))) != 0 {
			t.Error("what is paused is due")
		}
		next.Paused = false
		_, err = db.Personal.Reschedule(ctx, user, m.ID, next)
		must(t, err)
		got = claim(day(4, 30, 7))
		must(t, db.Personal.FailScheduled(ctx, got[0], domain.CodeMuted))
		if len(claim(day(6, 30, 7))) != 0 {
			t.Error("what has failed is due")
		}
		once, _, err := db.Personal.Schedule(ctx, scheduled(user, room, "2", now), now)
		must(t, err)
		_, err = db.Personal.SkipScheduled(ctx, user, once.ID, once.At, now)
		if domain.CodeOf(err) != domain.CodeInvalidField {
			t.Errorf("skipped what is sent once: %v", err)
		}
	})
}

// A reminder may come on a day of each month.
func TestAReminderComesEachMonth(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
		testkit.Room(t, db, 1)
		monthly := domain.Repeat{Zone: "UTC", Time: 9 * time.Hour, MonthDay: 31}
		_, _, err := db.Personal.Remind(ctx, domain.Reminder{ID: "rmd_1", Key: "1", User: testkit.UserID(0), Text: "rent",
			At: monthly.Next(now), Repeat: monthly}, now)
		must(t, err)
		february := time.Date(2026, 2, 28, 9, 0, 0, 0, time.UTC)
		for _, at := range []time.Time{february, february.AddDate(0, 1, 3)} {
			early, err := db.Personal.FireReminders(ctx, 10, at.Add(-time.Second))
			must(t, err)
			came, err := db.Personal.FireReminders(ctx, 10, at)
			if err != nil || len(early) != 0 || len(came) != 1 || !reflect.DeepEqual(came[0].Repeat, monthly) {
				t.Errorf("at %s came %+v, before %+v: %v", at, came, early, err)
			}
		}
	})
}
