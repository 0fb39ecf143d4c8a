package messages_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/testkit"
)

// react has user i react to a message, and returns the number of the event, 0 if there is none.
func react(t *testing.T, db *all.Store, i int, room string, seq int64, emoji string, remove bool) int64 {
	t.Helper()
	e, changed, err := db.Messages.React(t.Context(), testkit.UserID(i),
		domain.Reacting{Room: room, Seq: seq, Emoji: emoji, Remove: remove}, time.Now())
	if err != nil {
		t.Fatalf("user %d, %s: %v", i, emoji, err)
	}
	if changed != (e.Seq != 0) {
		t.Fatalf("changed is %v, and the event has the number %d", changed, e.Seq)
	}
	return e.Seq
}

// shown returns the reactions to a message as one line, as a page of the timeline has them.
func shown(t *testing.T, db *all.Store, room string, seq int64) string {
	t.Helper()
	page, err := db.Log.Timeline(t.Context(), domain.WholeLog(room), domain.PageQuery{Around: seq, Limit: 20})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range page.Events {
		if e.Type == domain.ReactionAdded || e.Type == domain.ReactionRemoved {
			t.Errorf("%s is a line of the timeline", e.Type)
		}
		if e.Seq != seq {
			continue
		}
		for _, r := range e.Message.Reactions.All {
			fmt.Fprintf(&b, "%s%d", r.Emoji, r.Count)
			for _, id := range r.Users {
				b.WriteString(id[len(id)-1:])
			}
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(b.String())
}

func rowsOf(t *testing.T, db *all.Store, room string) (n int) {
	t.Helper()
	err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM reactions WHERE room_id = $1`, room).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Reactions are shown in the order in which each emoji was first given, with who gave it; repeating one
// changes nothing, and writes no event.
func TestReactions(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 3)
		m := testkit.Say(t, db, testkit.UserID(0), room, "a", "tea?")
		other := testkit.Say(t, db, testkit.UserID(0), room, "b", "cake?")
		last := react(t, db, 1, room, m.Seq, "👍", false)
		if last != other.Seq+1 {
			t.Errorf("the event has the number %d after %d", last, other.Seq)
		}
		if again := react(t, db, 1, room, m.Seq, "👍", false); again != 0 {
			t.Error("the same reaction was written twice")
		}
		if none := react(t, db, 2, room, m.Seq, "👍", true); none != 0 {
			t.Error("a reaction that was not there was removed")
		}
		react(t, db, 1, room, m.Seq, "🎉", false)
		react(t, db, 0, room, m.Seq, "👍", false)
		react(t, db, 2, room, other.Seq, "👀", false)
		if got := shown(t, db, room, m.Seq); got != "👍210 🎉11" {
			t.Errorf("shown: %s", got)
		}
		if got := shown(t, db, room, other.Seq); got != "👀12" {
			t.Errorf("shown at the other message: %s", got)
		}
		// The emoji keeps its place when whoever gave it first takes it away.
		last = react(t, db, 1, room, m.Seq, "👍", true)
		if got := shown(t, db, room, m.Seq); got != "👍10 🎉11" {
			t.Errorf("shown: %s", got)
		}
		got, err := db.Log.MessageAt(t.Context(), domain.WholeLog(room), m.Seq)
		if err != nil || got.Reactions.Seq != last {
			t.Errorf("the last event about the reactions was %d, and not %d: %v", got.Reactions.Seq, last, err)
		}
		edit, err := db.Messages.EditMessage(t.Context(), testkit.UserID(0), room, m.Seq, "coffee?", nil, false, time.Now())
		if err != nil || len(edit.Message.Reactions.All) != 2 || edit.Message.Reactions.Seq != last {
			t.Errorf("an edit has the reactions %v, %v", edit.Message.Reactions, err)
		}
		states, err := db.Rooms.RoomStates(t.Context(), testkit.UserID(2))
		if err != nil || states[0].Messages != 2 {
			t.Errorf("%d are unread, not two messages: %v", states[0].Messages, err)
		}
	})
}

// Whoever may not write may not react, and only a message that is there can have reactions.
func TestWhoMayReact(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 3)
		m := testkit.Say(t, db, testkit.UserID(0), room, "a", "tea?")
		gone := testkit.Say(t, db, testkit.UserID(0), room, "b", "cake?")
		react(t, db, 2, room, gone.Seq, "👍", false)
		_, err := db.Messages.DeleteMessage(ctx, testkit.UserID(0), room, gone.Seq, now)
		if err != nil || rowsOf(t, db, room) != 0 {
			t.Errorf("a deleted message left %d reactions, %v", rowsOf(t, db, room), err)
		}
		if got := shown(t, db, room, gone.Seq); got != "" {
			t.Errorf("a deleted message shows %s", got)
		}
		if _, err := db.Rooms.Mute(ctx, testkit.UserID(0), room, testkit.UserID(1), now.Add(time.Hour), now); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			user string
			seq  int64
			code domain.Code
		}{
			{testkit.UserID(0), gone.Seq, domain.CodeMessageDeleted},
			{testkit.UserID(0), m.Seq + 100, domain.CodeNoMessage},
			{testkit.UserID(0), 1, domain.CodeNoMessage}, // a line that is no message
			{testkit.UserID(1), m.Seq, domain.CodeMuted},
			{"usr_nobody", m.Seq, domain.CodeNotAMember},
		} {
			for _, remove := range []bool{false, true} {
				r := domain.Reacting{Room: room, Seq: c.seq, Emoji: "👍", Remove: remove}
				_, _, err := db.Messages.React(ctx, c.user, r, now)
				if domain.CodeOf(err) != c.code {
					t.Errorf("%s at %d, remove %v: %v, want %s", c.user, c.seq, remove, err, c.code)
				}
			}
		}
	})
}

// A message has a limit of different reactions, and a user has one too. At the limit, what is there can still
// be used.
func TestReactionsAreLimited(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 4)
		m := testkit.Say(t, db, testkit.UserID(0), room, "a", "tea?")
		refused := func(i int, emoji string) {
			t.Helper()
			_, _, err := db.Messages.React(t.Context(), testkit.UserID(i),
				domain.Reacting{Room: room, Seq: m.Seq, Emoji: emoji}, time.Now())
			if domain.CodeOf(err) != domain.CodeTooManyReactions {
				t.Errorf("user %d, %s: %v", i, emoji, err)
			}
		}
		emoji := func(i int) string { return string(rune('\U0001f600' + i)) }
		for i := range domain.MaxReactionsOfUser {
			react(t, db, 0, room, m.Seq, emoji(i), false)
		}
		refused(0, emoji(60))
		for i := domain.MaxReactionsOfUser; i < domain.MaxReactions; i++ {
			react(t, db, 1+i%2, room, m.Seq, emoji(i), false)
		}
		refused(3, emoji(60))
		react(t, db, 3, room, m.Seq, emoji(0), false)
		react(t, db, 0, room, m.Seq, emoji(0), true)
		react(t, db, 0, room, m.Seq, emoji(49), false)
	})
}

// Of many who react only the first are listed with the message; all are in pages, and whoever asks is told
// whether they are among them.
func TestManyReact(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		const users = domain.MaxReactors + 5
		ctx, room := t.Context(), testkit.Room(t, db, users)
		m := testkit.Say(t, db, testkit.UserID(0), room, "a", "tea?")
		var want []string
		for i := range users {
			react(t, db, users-1-i, room, m.Seq, "👍", false)
			want = append(want, testkit.UserID(users-1-i))
		}
		for who, mine := range map[string]bool{testkit.UserID(0): true, want[0]: true, "usr_nobody": false} {
			got, err := db.Log.MessageAt(ctx, domain.WholeLog(room), m.Seq)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Log.MarkMine(ctx, who, []*domain.Message{&got}); err != nil {
				t.Fatal(err)
			}
			r := got.Reactions.All[0]
			if r.Count != users || !slices.Equal(r.Users, want[:domain.MaxReactors]) || r.Mine != mine {
				t.Errorf("%s is shown %+v", who, r)
			}
		}
		var got []string
		for after, more := int64(0), true; more; {
			page, err := db.Log.Reactors(ctx, domain.WholeLog(room), m.Seq, "👍", after, 7)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				got, after = append(got, r.User.ID), r.Seq
			}
			more = len(page) == 7
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages have %v, want %v", got, want)
		}
	})
}

// What is purged takes its reactions along, and so does a user who is erased.
func TestReactionsGoWithTheirMessagesAndUsers(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, room := t.Context(), testkit.Room(t, db, 3)
		old := testkit.Say(t, db, testkit.UserID(0), room, "a", "tea?")
		m := testkit.Say(t, db, testkit.UserID(0), room, "b", "cake?")
		for _, seq := range []int64{old.Seq, m.Seq} {
			react(t, db, 1, room, seq, "👍", false)
			react(t, db, 2, room, seq, "👍", false)
			react(t, db, 2, room, seq, "🎉", false)
		}
		var all []string
		n, err := db.Log.EachReactionBy(ctx, testkit.UserID(2), func(r domain.ReactionBy) error {
			all = append(all, fmt.Sprint(r.Seq-old.Seq, r.Emoji))
			return nil
		})
		if err != nil || n != len(all) {
			t.Errorf("%d reactions, %v", n, err)
		}
		slices.Sort(all)
		if want := []string{"0🎉", "0👍", "1🎉", "1👍"}; !slices.Equal(all, want) {
			t.Errorf("a user has the reactions %v, want %v", all, want)
		}
		step := domain.PurgeStep{UpTo: old.Seq, LineCutoff: time.Now().Add(time.Hour), Limit: 100}
		if _, err := db.Messages.Purge(ctx, room, step); err != nil {
			t.Fatal(err)
		}
		if n := rowsOf(t, db, room); n != 3 {
			t.Errorf("%d reactions are left of three", n)
		}
		if err := db.Departure.DeleteUser(ctx, testkit.UserID(2), time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := shown(t, db, room, m.Seq); got != "👍11" {
			t.Errorf("shown after an account was deleted: %s", got)
		}
	})
}

// An interrupted is a database in which something happens before the second query.
type interrupted struct {
	store.Queryer
	queries int
	then    func()
}

func (q *interrupted) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if q.queries++; q.queries == 2 {
		q.then()
	}
	return q.Queryer.QueryContext(ctx, query, args...)
}

// Who reads a message while somebody reacts has the reactions as of the event that they are said to be of: else a
// client would count that one twice.
func TestReactionsAreOfOneMoment(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 3)
		m := testkit.Say(t, db, testkit.UserID(0), room, "a", "tea?")
		react(t, db, 0, room, m.Seq, "👍", false)
		last := int64(0)
		q := &interrupted{Queryer: db, then: func() { last = react(t, db, 1, room, m.Seq, "🎉", false) }}
		e, _, err := roomlog.BySeq(t.Context(), q, domain.WholeLog(room), m.Seq)
		if err != nil || last == 0 {
			t.Fatalf("%d queries, %v", q.queries, err)
		}
		if r := e.Message.Reactions; r.Seq != last || len(r.All) != 2 {
			t.Errorf("reactions as of %d are %+v; the last is %d", r.Seq, r.All, last)
		}
	})
}
