package notifications_test

import (
	"context"
	"fmt"
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

// session begins a session of a user.
func session(t *testing.T, db *all.Store, user, id string, now time.Time) {
	t.Helper()
	must(t, db.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (id, user_id, created_at, last_seen_at, idle_expires, expires_at,
			auth_at, amr) VALUES ($1, $2, $3, $3, $4, $4, $3, 'pwd')`, id, user, store.Millis(now),
			store.Millis(now.Add(time.Hour)))
		return err
	}))
}

func subscribe(t *testing.T, db *all.Store, user, session string, at time.Time) domain.Subscription {
	t.Helper()
	s, err := db.Notifications.Subscribe(t.Context(), domain.Subscription{ID: domain.NewID(domain.PushPrefix),
		User: user, Session: session, Endpoint: "https://push.example.org/" + session, Key: []byte("key"), Auth: []byte("auth"),
		CreatedAt: at})
	must(t, err)
	return s
}

func claim(t *testing.T, db *all.Store, now time.Time) []domain.Push {
	t.Helper()
	all, err := db.Notifications.Claim(t.Context(), 10, time.Minute, now)
	must(t, err)
	return all
}

// A message is told once, to each subscription by one push for a room; what is read or comes meanwhile is right.
func TestAPushIsToldOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.UnixMilli(1_800_000_000_000)
		room, bob := testkit.Room(t, db, 2), testkit.UserID(1)
		session(t, db, bob, "ses_1", now)
		session(t, db, bob, "ses_2", now)
		phone := subscribe(t, db, bob, "ses_1", now)
		subscribe(t, db, bob, "ses_2", now.Add(time.Minute)) // after the messages
		send := func(key string) int64 {
			e, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(0), domain.Draft{Room: room, Key: key, Text: key}, nil,
				false, now)
			must(t, err)
			return e.Seq
		}
		told := func(seq int64) int {
			n, err := db.Notifications.Record(ctx, []domain.Notification{{User: bob, Room: room, Seq: seq,
				Reason: domain.NotifiedMention, At: now}}, now)
			must(t, err)
			return len(n)
		}
		first, second := send("1"), send("2")
		if told(first) != 1 || told(first) != 0 || told(second) != 1 {
			t.Error("a message is told other than once")
		}
		ps := claim(t, db, now)
		if len(ps) != 1 || ps[0].Subscription.ID != phone.ID || ps[0].Seq != second || len(claim(t, db, now)) != 0 {
			t.Fatalf("claimed %+v", ps)
		}
		st, err := db.Notifications.State(ctx, ps[0], now)
		if err != nil || st.Count != 2 || st.Last.Seq != second || st.Reason != domain.NotifiedMention {
			t.Errorf("%+v %v", st, err)
		}
		third := send("3")
		told(third)
		must(t, db.Notifications.Finish(ctx, ps[0], true, now))
		if ps = claim(t, db, now); len(ps) != 1 || ps[0].Seq != third || ps[0].Tries != 1 {
			t.Errorf("what came meanwhile: %+v", ps)
		}
		if _, err := db.Messages.MarkRead(ctx, bob, room, third, false, now); err != nil {
			t.Fatal(err)
		}
		if st, err := db.Notifications.State(ctx, ps[0], now); err != nil || st.Count != 0 {
			t.Errorf("after it is read: %+v %v", st, err)
		}
		must(t, db.Notifications.Postpone(ctx, ps[0], 0, now.Add(time.Hour)))
		must(t, db.Notifications.PutSettings(ctx, bob, domain.NotifySettings{Level: domain.NotifyAll}))
		if ps = claim(t, db, now); len(ps) != 1 {
			t.Error("other settings, and it is not looked at anew")
		}
		must(t, db.Notifications.Postpone(ctx, ps[0], 0, now.Add(time.Hour)))
		if ps = claim(t, db, now); len(ps) != 1 {
			t.Error("it is put off by settings that were changed meanwhile")
		}
		must(t, db.Sessions.RevokeSession(ctx, "ses_1", "signed_out", now))
		if st, err := db.Notifications.State(ctx, ps[0], now); err != nil || st.Count != 0 {
			t.Errorf("after the session: %+v %v", st, err)
		}
		must(t, db.Notifications.Prune(ctx, now, now))
		left, err := db.Notifications.Subscriptions(ctx, bob, now)
		if err != nil || len(left) != 1 || left[0].Session != "ses_2" {
			t.Errorf("left are %+v, %v", left, err)
		}
	})
}

// Who is in the room, gets pushes and follows threads is asked in one look.
func TestRecipientsAreWhoGetsPushes(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.UnixMilli(1_800_000_000_000)
		room, bob := testkit.Room(t, db, 3), testkit.UserID(1)
		if yes, err := db.Notifications.Anybody(ctx); err != nil || yes {
			t.Errorf("somebody gets pushes: %v", err)
		}
		session(t, db, bob, "ses_1", now)
		subscribe(t, db, bob, "ses_1", now)
		root, _, err := db.Messages.AppendMessage(ctx, bob, domain.Draft{Room: room, Key: "1", Text: "root"}, nil, false, now)
		must(t, err)
		_, _, err = db.Messages.AppendMessage(ctx, testkit.UserID(0), domain.Draft{Room: room, Key: "2", Text: "reply",
			Thread: root.Seq}, nil, false, now)
		must(t, err)
		must(t, db.Notifications.Choose(ctx, bob, domain.NotifyChoice{Room: room, Level: domain.NotifyNothing}, now))
		must(t, db.Notifications.Choose(ctx, bob, domain.NotifyChoice{Room: room, Thread: root.Seq, Level: domain.NotifyAll},
			now))
		rs, err := db.Notifications.Recipients(ctx, room, []int64{root.Seq}, now)
		if err != nil || len(rs) != 1 || rs[0].User != bob || rs[0].Room != domain.NotifyNothing ||
			rs[0].Threads[root.Seq] != domain.NotifyAll || !rs[0].Follows[root.Seq] {
			t.Errorf("%+v %v", rs, err)
		}
		must(t, db.Notifications.Choose(ctx, bob, domain.NotifyChoice{Room: room}, now))
		if _, choices, err := db.Notifications.Settings(ctx, bob); err != nil || len(choices) != 1 {
			t.Errorf("%+v %v", choices, err)
		}
		err = db.Notifications.Choose(ctx, testkit.UserID(9), domain.NotifyChoice{Room: room}, now)
		if domain.KindOf(err) != domain.Forbidden {
			t.Errorf("a stranger chooses: %v", err)
		}
	})
}

// What is chosen while a push waits holds for it, too. An edit is told instead of what came after the message.
func TestAPushIsWhatItsUserWantsWhenItIsSent(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.UnixMilli(1_800_000_000_000)
		room, ann, bob := testkit.Room(t, db, 2), testkit.UserID(0), testkit.UserID(1)
		session(t, db, bob, "ses_1", now)
		subscribe(t, db, bob, "ses_1", now)
		var seqs []int64
		for _, key := range []string{"1", "2", "3"} {
			e, _, err := db.Messages.AppendMessage(ctx, ann, domain.Draft{Room: room, Key: key, Text: key}, nil, false, now)
			must(t, err)
			seqs = append(seqs, e.Seq)
		}
		record := func(seq int64, reason domain.NotifyReason, at time.Time) {
			_, err := db.Notifications.Record(ctx, []domain.Notification{{User: bob, Room: room, Seq: seq, Reason: reason,
				At: at}}, at)
			must(t, err)
		}
		record(seqs[1], domain.NotifiedAll, now)
		record(seqs[2], domain.NotifiedMention, now)
		record(seqs[0], domain.NotifiedMention, now.Add(time.Second)) // it was edited
		ps := claim(t, db, now.Add(time.Second))
		if len(ps) != 1 {
			t.Fatalf("claimed %+v", ps)
		}
		count := func(what string, want int) {
			t.Helper()
			st, err := db.Notifications.State(ctx, ps[0], now)
			if err != nil || st.Count != want || want > 0 && st.Last.Seq != seqs[0] {
				t.Errorf("%s: %d, the last is %d of %v, %v", what, st.Count, st.Last.Seq, seqs, err)
			}
		}
		choose := func(level domain.NotifyLevel) {
			must(t, db.Notifications.Choose(ctx, bob, domain.NotifyChoice{Room: room, Level: level}, now))
		}
		count("mentions, by default", 2)
		choose(domain.NotifyAll)
		count("all", 3)
		choose(domain.NotifyNothing)
		count("nothing of the room", 0)
		choose(domain.NotifyDefault)
		must(t, db.Notifications.PutSettings(ctx, bob, domain.NotifySettings{Level: domain.NotifyNothing}))
		count("nothing at all", 0)
		choose(domain.NotifyMentions)
		count("mentions of the room alone", 2)
		must(t, db.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO blocks (user_id, other_id) VALUES ($1, $2)`, bob, ann)
			return err
		}))
		count("of somebody who is blocked", 0)
	})
}

// A pause may last for longer than notifications are kept: afterwards what came last is told, and nothing older.
func TestWhatIsNotOldIsToldAfterALongPause(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.UnixMilli(1_800_000_000_000)
		room, ann, bob := testkit.Room(t, db, 2), testkit.UserID(0), testkit.UserID(1)
		session(t, db, bob, "ses_1", now)
		subscribe(t, db, bob, "ses_1", now)
		for i, key := range []string{"1", "2"} {
			at := now.Add(time.Duration(i) * time.Minute)
			e, _, err := db.Messages.AppendMessage(ctx, ann, domain.Draft{Room: room, Key: key, Text: key}, nil, false, at)
			must(t, err)
			_, err = db.Notifications.Record(ctx, []domain.Notification{{User: bob, Room: room, Seq: e.Seq,
				Reason: domain.NotifiedMention, At: at}}, at)
			must(t, err)
		}
		must(t, db.Notifications.Prune(ctx, now.Add(time.Second), now))
		ps := claim(t, db, now)
		if len(ps) != 1 {
			t.Fatalf("one message is not old, and left are %+v", ps)
		}
		if st, err := db.Notifications.State(ctx, ps[0], now); err != nil || st.Count != 1 || st.Last.Message.Text != "2" {
			t.Errorf("%+v %v", st, err)
		}
		must(t, db.Notifications.Prune(ctx, now.Add(time.Hour), now))
		if n, err := db.Notifications.Waiting(ctx); err != nil || n != 0 {
			t.Errorf("all are old, and %d wait, %v", n, err)
		}
	})
}

// What is put off while its user chooses other settings is looked at anew, whichever of the two comes first.
func TestAPushIsNotPutOffByFormerSettings(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.UnixMilli(1_800_000_000_000)
		room, bob := testkit.Room(t, db, 2), testkit.UserID(1)
		session(t, db, bob, "ses_1", now)
		subscribe(t, db, bob, "ses_1", now)
		said := testkit.Say(t, db, testkit.UserID(0), room, "a", "tea")
		_, err := db.Notifications.Record(ctx, []domain.Notification{{User: bob, Room: room, Seq: said.Seq,
			Reason: domain.NotifiedMention, At: now}}, now)
		must(t, err)
		must(t, db.Notifications.PutSettings(ctx, bob, domain.NotifySettings{Level: domain.NotifyMentions}))
		for i := range 20 {
			ps := claim(t, db, now)
			if len(ps) != 1 {
				t.Fatalf("round %d: it waits for what its user wanted before", i)
			}
			st, err := db.Notifications.State(ctx, ps[0], now)
			must(t, err)
			var both sync.WaitGroup
			both.Go(func() {
				if err := db.Notifications.Postpone(ctx, ps[0], st.Version, now.Add(time.Hour)); err != nil {
					t.Error(err)
				}
			})
			both.Go(func() {
				if err := db.Notifications.PutSettings(ctx, bob, st.Settings); err != nil {
					t.Error(err)
				}
			})
			both.Wait()
		}
	})
}

// What one is told of is chosen for so many rooms and threads; a choice can still be changed, and taken back.
func TestChoicesAreBounded(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	room, bob, now := testkit.Room(t, db, 2), testkit.UserID(1), time.Now()
	must(t, db.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i := range domain.MaxNotifyLevels {
			if _, err := tx.ExecContext(ctx, `INSERT INTO notify_levels (user_id, room_id, thread, level)
				VALUES ($1, $2, $3, 'all')`, bob, room, i); err != nil {
				return err
			}
		}
		return nil
	}))
	choose := func(thread int64, level domain.NotifyLevel) error {
		return db.Notifications.Choose(t.Context(), bob, domain.NotifyChoice{Room: room, Thread: thread, Level: level}, now)
	}
	if err := choose(domain.MaxNotifyLevels, domain.NotifyNothing); domain.CodeOf(err) != domain.CodeTooManyLevels {
		t.Errorf("one more: %v", err)
	}
	must(t, choose(0, domain.NotifyNothing))
	must(t, choose(9, domain.NotifyDefault)) // whether or not the message is there any more
	if err := choose(9, domain.NotifyAll); domain.CodeOf(err) != domain.CodeNoMessage {
		t.Errorf("the thread of no message: %v", err)
	}
	must(t, choose(0, domain.NotifyDefault))
	must(t, choose(0, domain.NotifyNothing))
}

// One who has too many browsers is told on those that were added last.
func TestTheFirstOfTooManyBrowsersGoes(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.Now()
		testkit.Room(t, db, 2)
		other := testkit.UserID(0)
		session(t, db, other, "other", now)
		subscribe(t, db, other, "other", now.Add(-time.Hour))
		var added []string
		for i := range domain.MaxSubscriptions + 1 {
			name := fmt.Sprint("s", i)
			session(t, db, testkit.UserID(1), name, now)
			added = append(added, subscribe(t, db, testkit.UserID(1), name, now.Add(time.Duration(i)*time.Second)).ID)
			found, err := db.Notifications.Subscriptions(t.Context(), testkit.UserID(1), now)
			must(t, err)
			if has := len(found); has != min(i+1, domain.MaxSubscriptions) || found[0].ID != added[i] ||
				found[has-1].ID != added[max(0, i+1-domain.MaxSubscriptions)] {
				t.Errorf("after %d browsers there are %+v", i+1, found)
			}
		}
		if found, err := db.Notifications.Subscriptions(t.Context(), other, now); err != nil || len(found) != 1 {
			t.Errorf("of somebody else there are %+v, %v", found, err)
		}
	})
}
