package rooms_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// What somebody says whom a user has blocked is not unread for them, and names nobody. Others see no difference.
func TestBlockedPeopleLeaveNothingUnread(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		room := testkit.Room(t, db, 3)
		eve, bob, ann := testkit.UserID(0), testkit.UserID(1), testkit.UserID(2)
		say := func(user, key string, thread int64, named ...string) int64 {
			t.Helper()
			d := domain.Draft{Room: room, Key: key, Text: key, Thread: thread}
			e, _, err := db.Messages.AppendMessage(ctx, user, d, named, key == "room", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return e.Seq
		}
		unread := func(user string) domain.Unread {
			t.Helper()
			s, err := db.Rooms.RoomState(ctx, user, room)
			if err != nil {
				t.Fatal(err)
			}
			return s.Unread
		}
		root := say(ann, "root", 0) // ann follows what comes of it
		say(eve, "named", 0, "user2", "user1")
		say(eve, "room", 0) // names @room
		say(eve, "reply", root, "user2")
		before, others := unread(ann), unread(bob)
		if before != (domain.Unread{Messages: 2, Mentions: 3, Threads: 1}) {
			t.Fatalf("before: %+v", before)
		}
		for _, again := range []bool{false, true} {
			if changed, err := db.Rooms.Block(ctx, ann, eve); err != nil || changed == again {
				t.Fatalf("block, again %v: %v, %v", again, changed, err)
			}
		}
		if u := unread(ann); u != (domain.Unread{}) {
			t.Errorf("of who is blocked: %+v", u)
		}
		if u := unread(bob); u != others {
			t.Errorf("for somebody else: %+v, before %+v", u, others)
		}
		say(bob, "hello", 0, "user2")
		if u := unread(ann); u != (domain.Unread{Messages: 1, Mentions: 1}) {
			t.Errorf("of another: %+v", u)
		}
		if g, err := db.Rooms.Greeting(ctx, ann); err != nil || !slices.Equal(g.Blocked, []string{eve}) {
			t.Errorf("blocked: %v, %v", g.Blocked, err)
		}
		for _, again := range []bool{false, true} {
			if changed, err := db.Rooms.Unblock(ctx, ann, eve); err != nil || changed == again {
				t.Fatalf("unblock, again %v: %v, %v", again, changed, err)
			}
		}
		if u := unread(ann); u != (domain.Unread{Messages: 3, Mentions: 4, Threads: 1}) {
			t.Errorf("after: %+v", u)
		}
	})
}

func TestWhoCanBeBlocked(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		testkit.Room(t, db, 2)
		ann, eve := testkit.UserID(0), testkit.UserID(1)
		if _, err := db.Rooms.Block(ctx, ann, ann); domain.CodeOf(err) != domain.CodeInvalidField {
			t.Errorf("herself: %v", err)
		}
		if _, err := db.Rooms.Block(ctx, ann, testkit.UserID(7)); domain.CodeOf(err) != domain.CodeNoUser {
			t.Errorf("nobody: %v", err)
		}
		if _, err := db.Rooms.Block(ctx, ann, testkit.Bot(t, db, eve, "parrot")); err != nil {
			t.Errorf("a bot: %v", err)
		}
		err := db.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			var users, blocks []string
			for i := range domain.MaxBlocked - 1 {
				id := testkit.UserID(1000 + i)
				users = append(users, fmt.Sprintf("('%s', 'user', 'user', 'crowd%d', 'crowd', 1)", id, i))
				blocks = append(blocks, fmt.Sprintf("('%s', '%s')", ann, id))
			}
			tx.Invalidate()
			if _, err := tx.ExecContext(ctx, `INSERT INTO users (id, kind, role, username, display_name, created_at) VALUES `+
				strings.Join(users, ",")); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO blocks (user_id, other_id) VALUES `+strings.Join(blocks, ","))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Rooms.Block(ctx, ann, eve); domain.CodeOf(err) != domain.CodeTooManyBlocked {
			t.Errorf("one more: %v", err)
		}
		if changed, err := db.Rooms.Block(ctx, ann, testkit.UserID(1000)); err != nil || changed {
			t.Errorf("one of them again: %v, %v", changed, err)
		}
	})
}
