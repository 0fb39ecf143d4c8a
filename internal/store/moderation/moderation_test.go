package moderation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// house is a room of user 0, its owner, with three members of whom user 1 is a moderator. User 4 is an administrator of
// the server, in no room.
type house struct {
	*testing.T
	db   *all.Store
	room string
	now  time.Time
}

func build(t *testing.T, db *all.Store) *house {
	t.Helper()
	h := &house{t, db, testkit.Room(t, db, 4), time.Now().Truncate(time.Millisecond)}
	_, err := db.Rooms.SetRole(t.Context(), testkit.UserID(0), h.room, testkit.UserID(1), domain.Moderator, h.now)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) say(user int, text string) int64 {
	h.Helper()
	return testkit.Say(h.T, h.db, testkit.UserID(user), h.room, text, text).Seq
}

// report has a user report a message.
func (h *house) report(user int, seq int64) (fresh, admins bool, err error) {
	h.Helper()
	_, fresh, admins, err = h.db.Moderation.Report(h.Context(), domain.MessageReport{Room: h.room, Seq: seq,
		By: domain.UserRef{ID: testkit.UserID(user)}, Reason: domain.ReportSpam, Note: "look"}, h.now)
	return fresh, admins, err
}

func (h *house) mod(user int) domain.ReportDesk {
	return domain.ReportDesk{User: testkit.UserID(user), Room: h.room, Now: h.now}
}

func (h *house) admin(room string, now time.Time) domain.ReportDesk {
	return domain.ReportDesk{User: testkit.UserID(9), Admin: true, Room: room, Now: now}
}

// queue fails unless the numbers are those of the queue of d.
func (h *house) queue(d domain.ReportDesk, want ...int64) []domain.ReportedMessage {
	h.Helper()
	var c domain.ReportCursor
	var all []domain.ReportedMessage
	for { // one at a time, as pages
		page, err := h.db.Moderation.Queue(h.Context(), d, c, 1)
		if err != nil {
			h.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		c = domain.ReportCursor{At: page[0].Since.UnixMilli(), Room: page[0].Message.Room, Seq: page[0].Message.Seq}
	}
	n, err := h.db.Moderation.Waiting(h.Context(), d)
	if err != nil || n != len(want) || len(all) != len(want) {
		h.Fatalf("%d wait, the queue has %d; want %v: %v", n, len(all), want, err)
	}
	for i, m := range all {
		if m.Message.Seq != want[i] {
			h.Errorf("message %d of the queue is %d, not %d", i, m.Message.Seq, want[i])
		}
	}
	return all
}

func (h *house) code(what string, err error, want domain.Code) {
	h.Helper()
	if domain.CodeOf(err) != want {
		h.Errorf("%s: %v, not %s", what, err, want)
	}
}

// Two people report a message, one of them twice: that is one message in the queue, with the text as it was, though it
// was changed and deleted meanwhile. Those who moderate decide once; everybody who reported is named to be told.
func TestReportsOfOneMessageAreOne(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h, ctx := build(t, db), t.Context()
		bad := h.say(2, "buy pills")
		other := h.say(2, "hello")
		for _, do := range []struct {
			user  int
			fresh bool
		}{{3, true}, {0, true}, {3, false}} {
			if fresh, admins, err := h.report(do.user, bad); err != nil || fresh != do.fresh || admins {
				t.Errorf("user %d: fresh %t, admins %t, %v", do.user, fresh, admins, err)
			}
		}
		h.now = h.now.Add(time.Second)
		if _, _, err := h.report(3, other); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Messages.EditMessage(ctx, testkit.UserID(2), h.room, bad, "hi", nil, false, h.now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Messages.DeleteMessage(ctx, testkit.UserID(2), h.room, bad, h.now); err != nil {
			t.Fatal(err)
		}
		m := h.queue(h.mod(1), bad, other)[0]
		if m.Count != 2 || len(m.Reports) != 2 || m.Reports[0].Text != "buy pills" || m.Reports[0].Note != "look" ||
			m.Message.Text != "" || m.Message.DeletedAt.IsZero() || len(m.Reasons()) != 1 {
			t.Errorf("reported is %+v", m)
		}
		done, err := db.Moderation.Decide(ctx, h.mod(1), bad, domain.ReportRemoved)
		if err != nil || done.Reports != 2 || len(done.Reporters) != 2 {
			t.Errorf("decided: %+v, %v", done, err)
		}
		_, err = db.Moderation.Decide(ctx, h.mod(0), bad, domain.ReportKept)
		h.code("a second decision", err, domain.CodeReportDecided)
		if _, err := db.Moderation.Decide(ctx, h.mod(0), other, domain.ReportRemoved); err != nil {
			t.Fatal(err)
		}
		gone, err := db.Log.MessageAt(ctx, domain.WholeLog(h.room), other)
		if err != nil || gone.DeletedAt.IsZero() || gone.Text != "" {
			t.Errorf("a removed message is %+v, %v", gone, err)
		}
		h.queue(h.mod(1))
		own, err := db.Moderation.ReportsBy(ctx, testkit.UserID(3), domain.OwnReportCursor{}, 1)
		if err != nil || len(own) != 1 || own[0].Seq != other || own[0].State != domain.ReportRemoved ||
			own[0].DecidedAt.IsZero() {
			t.Errorf("own reports: %+v, %v", own, err)
		}
		next := domain.OwnReportCursor{At: own[0].At.UnixMilli(), ID: own[0].ID}
		if own, err = db.Moderation.ReportsBy(ctx, testkit.UserID(3), next, 9); err != nil || len(own) != 1 {
			t.Errorf("the next page: %+v, %v", own, err)
		}
	})
}

// What nobody can report, and who decides on nothing.
func TestWhatIsNotReported(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h, ctx := build(t, db), t.Context()
		mine, gone := h.say(3, "mine"), h.say(2, "gone")
		if _, err := db.Messages.DeleteMessage(ctx, testkit.UserID(2), h.room, gone, h.now); err != nil {
			t.Fatal(err)
		}
		for what, c := range map[string]struct {
			user int
			seq  int64
			code domain.Code
		}{
			"one's own":     {3, mine, domain.CodeReportOwn},
			"a deleted one": {3, gone, domain.CodeMessageDeleted},
			"a system line": {3, 1, domain.CodeNoMessage},
			"no message":    {3, 999, domain.CodeNoMessage},
			"by no member":  {8, mine, domain.CodeNotAMember},
		} {
			_, _, err := h.report(c.user, c.seq)
			h.code(what, err, c.code)
		}
		_, err := db.Moderation.Queue(ctx, h.mod(3), domain.ReportCursor{}, 9)
		h.code("a member's queue", err, domain.CodeRoleTooLow)
		_, err = db.Moderation.Decide(ctx, h.mod(2), mine, domain.ReportKept)
		h.code("a member's decision", err, domain.CodeRoleTooLow)
		_, err = db.Moderation.Decide(ctx, h.mod(8), mine, domain.ReportKept)
		h.code("a stranger's decision", err, domain.CodeNotAMember)
		_, err = db.Moderation.Decide(ctx, h.mod(1), mine, domain.ReportRemoved)
		h.code("a decision on what nobody reported", err, domain.CodeNoReport)
		for i := range domain.ReportsPerHour {
			if _, _, err := h.report(3, h.say(2, fmt.Sprint("flood ", i))); err != nil {
				t.Fatal(err)
			}
		}
		last := h.say(2, "one more")
		_, _, err = h.report(3, last)
		h.code("one more in an hour", err, domain.CodeTooManyReports)
		h.now = h.now.Add(time.Hour)
		if fresh, _, err := h.report(3, last); !fresh || err != nil {
			t.Errorf("an hour later: %t, %v", fresh, err)
		}
	})
}

// Reports of a moderator's message go to administrators at once, those of others after a day. They see the message
// with five before and after it, and no other, nor a quote of another.
func TestWhatAdministratorsSee(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h, ctx := build(t, db), t.Context()
		old := h.say(2, "long ago")
		for i := range 6 {
			h.say(2, fmt.Sprint("before ", i))
		}
		of := h.say(1, "I moderate")
		e, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(2), domain.Draft{Room: h.room, Key: "quote", Text: "see",
			ReplyTo: old}, nil, false, h.now)
		if err != nil {
			t.Fatal(err)
		}
		plain := h.say(2, "plain")
		if _, admins, err := h.report(3, of); err != nil || !admins {
			t.Fatalf("of a moderator's message: %t, %v", admins, err)
		}
		if _, _, err := h.report(3, plain); err != nil {
			t.Fatal(err)
		}
		h.queue(h.mod(0), plain)
		h.queue(h.admin("", h.now), of)
		_, err = db.Moderation.Decide(ctx, h.mod(0), of, domain.ReportKept)
		h.code("an owner's decision on a moderator", err, domain.CodeNoReport)
		_, _, err = db.Moderation.Context(ctx, h.admin(h.room, h.now), plain)
		h.code("too early", err, domain.CodeNoReport)
		m, around, err := db.Moderation.Context(ctx, h.admin(h.room, h.now), of)
		if err != nil || m.Message.Text != "I moderate" || len(around) != domain.ReportContext+2 ||
			around[0].Text != "before 1" || around[5].Seq != e.Seq || around[5].ReplyTo != nil {
			t.Errorf("%+v, around it %+v, %v", m, around, err)
		}
		if _, err := db.Moderation.Decide(ctx, h.admin(h.room, h.now), of, domain.ReportRemoved); err == nil {
			t.Error("somebody who is no user decided") // removing needs an actor
		}
		root := h.admin(h.room, h.now)
		root.User = testkit.UserID(2) // another member, as an administrator
		if done, err := db.Moderation.Decide(ctx, root, of, domain.ReportRemoved); err != nil || done.Reports != 1 {
			t.Errorf("removed: %+v, %v", done, err)
		}
		_, _, err = db.Moderation.Context(ctx, h.admin(h.room, h.now), of)
		h.code("once decided", err, domain.CodeReportDecided)
		later := h.now.Add(domain.ReportPatience)
		h.queue(h.admin("", later), plain)
		h.queue(h.mod(1), plain)
		own := h.admin("", later)
		own.User = testkit.UserID(2)
		h.queue(own)
	})
}

// Reports of a direct room go to administrators. An account that is deleted leaves its reports without a name, and a
// purge takes them along.
func TestReportsEndWithAccountsAndMessages(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h, ctx := build(t, db), t.Context()
		group := h.room
		seq := h.say(2, "rude")
		if _, _, err := h.report(3, seq); err != nil {
			t.Fatal(err)
		}
		direct, _, err := db.Rooms.CreateRoom(ctx, testkit.UserID(2), domain.NewRoom{Kind: domain.DirectRoom,
			Members: []string{testkit.UserID(3)}}, h.now)
		if err != nil {
			t.Fatal(err)
		}
		h.room = direct.Room.ID
		if _, admins, err := h.report(3, h.say(2, "you")); err != nil || !admins {
			t.Errorf("in a direct room: %t, %v", admins, err)
		}
		h.room = group
		if err := db.Departure.DeleteUser(ctx, testkit.UserID(3), h.now); err != nil {
			t.Fatal(err)
		}
		if m := h.queue(h.mod(0), seq)[0]; m.Reports[0].By.ID != "" {
			t.Errorf("a deleted account reported %+v", m.Reports[0])
		}
		done, err := db.Moderation.Decide(ctx, h.mod(0), seq, domain.ReportKept)
		if err != nil || done.Reports != 1 || len(done.Reporters) != 0 {
			t.Errorf("%+v, %v", done, err)
		}
		step := domain.PurgeStep{UpTo: seq, LineCutoff: h.now.Add(time.Hour), Limit: 1000}
		if _, err := db.Messages.Purge(ctx, group, step); err != nil {
			t.Fatal(err)
		}
		var left int
		err = db.QueryRowContext(ctx, `SELECT COUNT(*) FROM message_reports WHERE room_id = $1`, group).Scan(&left)
		if err != nil || left != 0 {
			t.Errorf("%d reports of purged messages, %v", left, err)
		}
	})
}

// All reports of a message count. Those that came first are shown, up to a bound.
func TestShownReportsAreBounded(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t)) // the bound is no matter of the database
	h := &house{t, db, testkit.Room(t, db, domain.MaxReportsShown+3), time.Now().Truncate(time.Millisecond)}
	seq := h.say(1, "rude")
	for i := range domain.MaxReportsShown + 1 {
		h.now = h.now.Add(time.Second)
		if _, _, err := h.report(i+2, seq); err != nil {
			t.Fatal(err)
		}
	}
	m := h.queue(h.mod(0), seq)[0]
	if n := len(m.Reports); m.Count != domain.MaxReportsShown+1 || n != domain.MaxReportsShown ||
		m.Reports[0].By.ID != testkit.UserID(2) || m.Reports[n-1].By.ID != testkit.UserID(n+1) {
		t.Errorf("%d reports, of which are shown %+v", m.Count, m.Reports)
	}
}
