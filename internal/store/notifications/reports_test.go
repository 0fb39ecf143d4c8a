package notifications_test

import (
	"maps"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// desks is a room of user 0, its owner, with the moderators 1 and 2 and the members 3, 4 and 5. User 5 is an
// administrator of the server. Each has a browser that gets pushes.
type desks struct {
	*testing.T
	db   *all.Store
	room string
	subs map[string]int // users by subscription
}

func reportDesks(t *testing.T, db *all.Store, now time.Time) *desks {
	t.Helper()
	d := &desks{t, db, testkit.Room(t, db, 6), map[string]int{}}
	for _, user := range []int{1, 2} {
		_, err := db.Rooms.SetRole(t.Context(), testkit.UserID(0), d.room, testkit.UserID(user), domain.Moderator, now)
		must(t, err)
	}
	_, err := db.Accounts.SetUserRole(t.Context(), testkit.UserID(5), domain.SystemAdmin)
	must(t, err)
	for user := range 6 {
		d.browser(user, now)
	}
	return d
}

// browser has a user get pushes in a browser for an hour.
func (d *desks) browser(user int, now time.Time) {
	d.Helper()
	id := domain.NewID(domain.SessionPrefix)
	session(d.T, d.db, testkit.UserID(user), id, now)
	d.subs[subscribe(d.T, d.db, testkit.UserID(user), id, now).ID] = user
}

func (d *desks) report(by int, seq int64, now time.Time) {
	d.Helper()
	_, _, _, err := d.db.Moderation.Report(d.Context(), domain.MessageReport{Room: d.room, Seq: seq,
		By: domain.UserRef{ID: testkit.UserID(by)}, Reason: domain.ReportSpam}, now)
	must(d.T, err)
}

// told fails unless these users get a push now in a room, or with none as administrators, about so many messages each.
func (d *desks) told(now time.Time, room string, want map[int]int) {
	d.Helper()
	_, err := d.db.Notifications.TellReports(d.Context(), time.Minute, now)
	must(d.T, err)
	got := map[int]int{}
	for _, p := range claim(d.T, d.db, now) {
		st, err := d.db.Notifications.State(d.Context(), p, now)
		must(d.T, err)
		must(d.T, d.db.Notifications.Finish(d.Context(), p, st.Count > 0, now))
		if st.Count == 0 {
			continue
		}
		user := d.subs[p.Subscription.ID]
		if got[user] += st.Count; p.Room != room || !p.Reports || st.Reason != domain.NotifiedReport {
			d.Errorf("a push in %q to user %d by %q", p.Room, user, st.Reason)
		}
	}
	if !maps.Equal(got, want) {
		d.Errorf("told are %v, not %v", got, want)
	}
}

// waits fails unless a digest tells a user of so many messages.
func (d *desks) waits(user, want int, now time.Time) {
	d.Helper()
	n, last, err := d.db.Notifications.ReportsWaiting(d.Context(), testkit.UserID(user), now)
	if err != nil || n != want || last.IsZero() != (want == 0) {
		d.Errorf("for user %d wait %d, the last from %s, %v; want %d", user, n, last, err, want)
	}
}

// Those who decide are told once of all reports of a minute, but for who reported and whose message it is, and of
// nothing that was decided meanwhile. Administrators are told once they may decide.
func TestThoseWhoDecideAreToldOfReports(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now().Truncate(time.Millisecond)
		d := reportDesks(t, db, now)
		say := func(user int, text string) int64 {
			return testkit.Say(t, db, testkit.UserID(user), d.room, text, text).Seq
		}
		decide := func(seq int64, admin bool, at time.Time) {
			t.Helper()
			by := domain.ReportDesk{User: testkit.UserID(0), Room: d.room, Now: at}
			if admin {
				by.User, by.Admin = testkit.UserID(5), true
			}
			_, err := db.Moderation.Decide(ctx, by, seq, domain.ReportKept)
			must(t, err)
		}
		first, second := say(3, "1"), say(3, "2")
		d.report(4, first, now)
		d.told(now.Add(30*time.Second), d.room, map[int]int{})
		d.report(2, first, now.Add(40*time.Second))
		d.report(2, second, now.Add(50*time.Second))
		minute := now.Add(time.Minute)
		d.waits(1, 2, minute)
		d.waits(2, 1, minute)
		d.waits(4, 0, minute)
		d.waits(5, 0, minute)
		d.told(minute, d.room, map[int]int{0: 2, 1: 2, 2: 1}) // user 2 alone has reported the second
		d.told(minute.Add(time.Minute), d.room, map[int]int{})

		must(t, db.Notifications.PutSettings(ctx, testkit.UserID(0), domain.NotifySettings{MuteReports: true}))
		must(t, db.Notifications.Choose(ctx, testkit.UserID(1), domain.NotifyChoice{Room: d.room,
			Level: domain.NotifyNothing}, now))
		later := now.Add(10 * time.Minute)
		d.waits(1, 0, later)
		d.report(4, second, later)
		d.told(later.Add(time.Minute), d.room, map[int]int{2: 2})

		decide(first, false, later)
		third := say(3, "3")
		d.report(4, third, later)
		decide(second, false, later)
		decide(third, false, later)
		d.told(later.Add(2*time.Minute), d.room, map[int]int{})

		fourth := say(1, "4") // of a moderator: administrators decide
		d.report(3, fourth, later)
		d.told(later.Add(2*time.Minute), "", map[int]int{5: 1})
		d.waits(5, 1, later)
		decide(fourth, true, later)

		fifth := say(3, "5")
		d.report(4, fifth, later)
		d.told(later.Add(3*time.Minute), d.room, map[int]int{2: 1})
		day := later.Add(domain.ReportPatience)
		d.browser(5, day)
		d.told(day, "", map[int]int{})
		d.told(day.Add(time.Minute), "", map[int]int{5: 1})
		d.told(day.Add(2*time.Minute), "", map[int]int{})
	})
}

// What waits about reports is put off by quiet hours, and looked at anew once these end.
func TestAPushOfReportsIsLookedAtAnew(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.Now().Truncate(time.Millisecond)
		d := reportDesks(t, db, now)
		d.report(4, testkit.Say(t, db, testkit.UserID(3), d.room, "1", "1").Seq, now)
		n, err := db.Notifications.TellReports(t.Context(), 0, now)
		if err != nil || n != 3 {
			t.Errorf("%d people are told, %v", n, err)
		}
		for _, p := range claim(t, db, now) {
			must(t, db.Notifications.Postpone(t.Context(), p, 0, now.Add(time.Hour)))
		}
		if n, err := db.Notifications.Waiting(t.Context()); err != nil || n != 3 {
			t.Errorf("%d pushes wait, %v", n, err)
		}
		must(t, db.Notifications.PutSettings(t.Context(), testkit.UserID(1), domain.NotifySettings{}))
		if ps := claim(t, db, now); len(ps) != 1 || d.subs[ps[0].Subscription.ID] != 1 {
			t.Errorf("claimed are %+v", ps)
		}
	})
}
