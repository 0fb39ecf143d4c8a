package notifications_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func missed(t *testing.T, db *all.Store, user string) []domain.MissedRoom {
	t.Helper()
	all, err := db.Notifications.Missed(t.Context(), user, time.Now().Add(-domain.DigestReach), true)
	must(t, err)
	return all
}

func seqs(rooms []domain.MissedRoom) (all []int64) {
	for _, r := range rooms {
		for _, l := range r.Lines {
			all = append(all, l.Seq)
		}
	}
	return all
}

func daily(t *testing.T, db *all.Store, user string, due time.Time) {
	t.Helper()
	must(t, db.Notifications.PutDigest(t.Context(), user, domain.DigestSettings{Every: domain.DigestDaily,
		Time: 8 * time.Hour, Zone: "Europe/Berlin"}, due))
}

func claimed(t *testing.T, db *all.Store, now time.Time) []domain.DueDigest {
	t.Helper()
	all, err := db.Notifications.ClaimDigests(t.Context(), 10, time.Minute, now)
	must(t, err)
	return all
}

func sendTo(t *testing.T, db *all.Store, user, email string) {
	t.Helper()
	must(t, db.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		tx.Invalidate()
		_, err := tx.ExecContext(ctx, `UPDATE users SET email = $2 WHERE id = $1`, user, email)
		return err
	}))
}

// What somebody has missed is what others have said since they have read a room, and what they may see of it.
func TestMissedIsWhatIsUnreadAndSeen(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 4)
		ann, bob, eve, new := testkit.UserID(0), testkit.UserID(1), testkit.UserID(2), testkit.UserID(3)
		n := 0
		say := func(user string, thread int64, mentions ...string) int64 {
			t.Helper()
			n++
			e, _, err := db.Messages.AppendMessage(ctx, user, domain.Draft{Room: room, Key: fmt.Sprint(n), Text: "said",
				Thread: thread}, mentions, false, now)
			must(t, err)
			return e.Seq
		}
		read := say(ann, 0)
		_, err := db.Messages.MarkRead(ctx, bob, room, read, false, now)
		must(t, err)
		say(bob, 0) // their own
		gone := say(ann, 0)
		_, err = db.Messages.DeleteMessage(ctx, ann, room, gone, now)
		must(t, err)
		say(eve, 0) // blocked
		_, err = db.Rooms.Block(ctx, bob, eve)
		must(t, err)
		root := say(ann, 0)
		say(ann, root) // in a thread that bob does not follow
		named := say(ann, root, "user1")
		further := say(ann, root) // bob follows since
		last := say(ann, 0)
		rooms := missed(t, db, bob)
		if got, want := seqs(rooms), []int64{root, named, further, last}; !slices.Equal(got, want) {
			t.Errorf("missed are %v, not %v", got, want)
		}
		if l := rooms[0].Lines; rooms[0].Name != "Lobby" || rooms[0].Direct || !l[0].To.Main || l[1].To.Main ||
			!l[1].To.Named || !l[2].To.Follows || l[2].To.Named || l[1].Thread != root || l[0].Text != "" {
			t.Errorf("%+v", rooms)
		}
		must(t, db.Notifications.Choose(ctx, bob, domain.NotifyChoice{Room: room, Level: domain.NotifyMentions}, now))
		if rooms = missed(t, db, bob); rooms[0].Level != domain.NotifyMentions || rooms[0].Lines[0].Text != "said" {
			t.Errorf("keywords do not see %+v", rooms)
		}
		name, events, err := db.Notifications.Shown(ctx, bob, rooms[0], []int64{named, gone, last})
		if err != nil || name != "Lobby" || len(events) != 2 || events[0].Seq != named || events[1].Message.Text != "said" {
			t.Errorf("shown are %s %+v %v", name, events, err)
		}
		// Hidden history, a level of nothing, an archived room, and one that was left.
		set := func(statement string, args ...any) {
			t.Helper()
			must(t, db.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
				tx.Invalidate()
				_, err := tx.ExecContext(ctx, statement, args...)
				return err
			}))
		}
		set(`UPDATE members SET since = $2, read_seq = 0 WHERE user_id = $1`, new, further)
		if got := seqs(missed(t, db, new)); !slices.Equal(got, []int64{last}) {
			t.Errorf("who sees what came after %d has missed %v", further, got)
		}
		if _, events, err = db.Notifications.Shown(ctx, new, domain.MissedRoom{View: domain.View{Room: room,
			Since: further}}, []int64{named}); err != nil || len(events) != 1 || !events[0].Message.Hidden {
			t.Errorf("they are shown %+v %v", events, err)
		}
		must(t, db.Notifications.Choose(ctx, new, domain.NotifyChoice{Room: room, Level: domain.NotifyNothing}, now))
		if got := missed(t, db, new); got != nil {
			t.Errorf("of a room of which they want nothing they have missed %+v", got)
		}
		if old, err := db.Notifications.Missed(ctx, bob, now.Add(time.Hour), false); err != nil || old != nil {
			t.Errorf("of an hour that is to come bob has missed %+v %v", old, err)
		}
		set(`UPDATE rooms SET archived = TRUE WHERE id = $1`, room)
		if got := missed(t, db, bob); got != nil {
			t.Errorf("of an archived room bob has missed %+v", got)
		}
		set(`UPDATE rooms SET archived = FALSE WHERE id = $1`, room)
		_, err = db.Departure.Leave(ctx, bob, room, now)
		must(t, err)
		if got := missed(t, db, bob); got != nil {
			t.Errorf("of a room that bob has left he has missed %+v", got)
		}
	})
}

// A digest is made by one node, its mail is queued once, and what it has told is missed no more.
func TestADigestIsMadeOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, bob := testkit.Room(t, db, 2), testkit.UserID(1)
		sendTo(t, db, bob, "bob@example.org")
		testkit.Say(t, db, testkit.UserID(0), room, "1", "one")
		if d, _, address, err := db.Notifications.Digest(ctx, bob); err != nil || d.Every != domain.DigestNever || !address {
			t.Errorf("at first: %+v %v", d, err)
		}
		daily(t, db, bob, now)
		if d, next, _, err := db.Notifications.Digest(ctx, bob); err != nil || d.Every != domain.DigestDaily ||
			d.Time != 8*time.Hour || d.Zone != "Europe/Berlin" || !next.Equal(store.Trim(now)) {
			t.Errorf("chosen: %+v %s %v", d, next, err)
		}
		var mu sync.Mutex
		var due []domain.DueDigest
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				some, err := db.Notifications.ClaimDigests(ctx, 10, time.Minute, now)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				due = append(due, some...)
			})
		}
		wg.Wait()
		if len(due) != 1 || due[0].User != bob || due[0].Email != "bob@example.org" || due[0].Username != "user1" {
			t.Fatalf("claimed by four: %+v", due)
		}
		// The first node dies, and comes back after another has made it.
		again := claimed(t, db, now.Add(2*time.Minute))
		if len(again) != 1 {
			t.Fatalf("after the lease: %+v", again)
		}
		finish := func(d domain.DueDigest, id string) bool {
			t.Helper()
			m := domain.QueuedMail{ID: id, To: d.Email, Template: domain.MailDigest, Data: []byte("x"), Created: now,
				GiveUp: now.Add(time.Hour)}
			done, err := db.Notifications.FinishDigest(ctx, d, &m, missed(t, db, bob), now.Add(24*time.Hour))
			must(t, err)
			return done
		}
		if !finish(again[0], "mail_1") || finish(due[0], "mail_2") || finish(again[0], "mail_3") {
			t.Error("a digest is not made once")
		}
		if n, err := db.Mails.WaitingMails(ctx); err != nil || n != 1 {
			t.Errorf("%d mails are queued, %v", n, err)
		}
		if got := missed(t, db, bob); got != nil {
			t.Errorf("what was told is missed still: %+v", got)
		}
		second := testkit.Say(t, db, testkit.UserID(0), room, "2", "two")
		if got := seqs(missed(t, db, bob)); !slices.Equal(got, []int64{second.Seq}) {
			t.Errorf("what came since is %v", got)
		}
		// Other settings drop the one that is being made; none is made any more once they say never.
		later := claimed(t, db, now.Add(25*time.Hour))
		daily(t, db, bob, now.Add(48*time.Hour))
		if len(later) != 1 || finish(later[0], "mail_4") {
			t.Error("a digest is made that was put off")
		}
		must(t, db.Notifications.PutDigest(ctx, bob, domain.DigestSettings{Every: domain.DigestNever}, time.Time{}))
		if got := claimed(t, db, now.Add(100*time.Hour)); got != nil {
			t.Errorf("of who wants none is due %+v", got)
		}
		daily(t, db, bob, now)
		must(t, db.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			tx.Invalidate()
			_, err := tx.ExecContext(ctx, `UPDATE users SET disabled = TRUE WHERE id = $1`, bob)
			return err
		}))
		if got := claimed(t, db, now); len(got) != 1 || got[0].Email != "" {
			t.Errorf("a disabled account gets mail: %+v", got)
		}
	})
}

// Of a room the last messages are looked at for a digest, of which it is said that there are more, and of many rooms
// those in which something was said last.
func TestWhatADigestLooksAtIsBounded(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t)) // the bounds are no matter of the database
	ctx := t.Context()
	room := testkit.Room(t, db, 2)
	ann, bob := testkit.UserID(0), testkit.UserID(1)
	for i := range domain.MaxMissedLines + 1 {
		last := testkit.Say(t, db, ann, room, fmt.Sprint(i), "said").Seq
		if i < domain.MaxMissedLines-1 {
			continue
		}
		r := missed(t, db, bob)[0]
		if lines := r.Lines; len(lines) != domain.MaxMissedLines || r.More != (i == domain.MaxMissedLines) ||
			lines[len(lines)-1].Seq != last || lines[0].Seq != last-domain.MaxMissedLines+1 {
			t.Errorf("of %d messages %d are looked at, and there are more: %v", i+1, len(lines), r.More)
		}
	}
	var last string
	now := time.Now().Add(time.Minute) // after all that was said so far
	for i := range domain.MaxMissedRooms {
		s, _, err := db.Rooms.CreateRoom(ctx, ann, domain.NewRoom{Kind: domain.PublicRoom, Name: fmt.Sprint("Room ", i)}, now)
		must(t, err)
		_, err = db.Rooms.Join(ctx, bob, s.Room.ID, now)
		must(t, err)
		_, _, err = db.Messages.AppendMessage(ctx, ann, domain.Draft{Room: s.Room.ID, Key: fmt.Sprint("room ", i),
			Text: "said"}, nil, false, now.Add(time.Duration(i+1)*time.Second))
		must(t, err)
		last = s.Room.ID
	}
	if all := missed(t, db, bob); len(all) != domain.MaxMissedRooms || all[0].Room != last ||
		slices.ContainsFunc(all, func(r domain.MissedRoom) bool { return r.Room == room }) {
		t.Errorf("%d rooms are looked at", len(all))
	}
}
