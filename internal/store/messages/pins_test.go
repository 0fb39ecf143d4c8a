package messages_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// pinned returns the numbers of the pinned messages of a room.
func pinned(t *testing.T, db *all.Store, room string) (seqs []int64) {
	t.Helper()
	pins, err := db.Log.Pins(t.Context(), domain.WholeLog(room))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pins {
		if p.By.ID == "" || p.At.IsZero() || p.Seq <= p.Message.Seq || p.Message.Room != room {
			t.Errorf("pin %+v", p)
		}
		seqs = append(seqs, p.Message.Seq)
	}
	return seqs
}

// Pinned messages are listed with who pinned them, the last one first; repeating changes nothing, and writes no
// event. A message that is deleted or purged is no longer pinned.
func TestPins(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 2)
		owner := testkit.UserID(0)
		var seqs []int64
		for _, key := range []string{"a", "b", "c"} {
			m := testkit.Say(t, db, testkit.UserID(1), room, key, "agenda "+key)
			seqs = append(seqs, m.Seq)
			e, err := db.Messages.Pin(ctx, owner, room, m.Seq, now)
			if err != nil || e.Type != domain.MessagePinned || e.Seq != m.Seq+1 || e.Actor.ID != owner {
				t.Fatalf("event %+v, %v", e, err)
			}
		}
		if e, err := db.Messages.Pin(ctx, owner, room, seqs[0], now); err != nil || e.Seq != 0 {
			t.Errorf("pinned again: event %d, %v", e.Seq, err)
		}
		if got := pinned(t, db, room); !slices.Equal(got, []int64{seqs[2], seqs[1], seqs[0]}) {
			t.Errorf("pinned are %v of %v", got, seqs)
		}
		if e, err := db.Messages.Unpin(ctx, owner, room, seqs[1], now); err != nil || e.Type != domain.MessageUnpinned {
			t.Errorf("unpinned: %+v, %v", e, err)
		}
		if e, err := db.Messages.Unpin(ctx, owner, room, seqs[1], now); err != nil || e.Seq != 0 {
			t.Errorf("unpinned again: event %d, %v", e.Seq, err)
		}
		if _, err := db.Messages.DeleteMessage(ctx, owner, room, seqs[2], now); err != nil {
			t.Fatal(err)
		}
		if got := pinned(t, db, room); !slices.Equal(got, seqs[:1]) {
			t.Errorf("pinned are %v, not only %d", got, seqs[0])
		}
		if _, err := db.Messages.Pin(ctx, owner, room, seqs[2], now); domain.CodeOf(err) != domain.CodeMessageDeleted {
			t.Errorf("a deleted message was pinned: %v", err)
		}
		if _, err := db.Messages.Purge(ctx, room, domain.PurgeStep{Before: now.Add(time.Hour), Limit: 100}); err != nil {
			t.Fatal(err)
		}
		var rows int
		if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM pins`).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%d pins are left of messages that are gone: %v", rows, err)
		}
	})
}

// Members pin messages of their room, as many as a room can have, unless they are muted.
func TestWhoMayPin(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 2)
		m := testkit.Say(t, db, testkit.UserID(1), room, "a", "agenda")
		for _, change := range []func(context.Context, string, string, int64, time.Time) (domain.Event, error){
			db.Messages.Pin, db.Messages.Unpin,
		} {
			if e, err := change(ctx, testkit.UserID(1), room, m.Seq, now); err != nil || e.Seq == 0 {
				t.Errorf("a member: %+v, %v", e, err)
			}
		}
		if err := mute(t, db, testkit.UserID(0), room, testkit.UserID(1), now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		for user, want := range map[string]domain.Code{
			testkit.UserID(1): domain.CodeMuted, testkit.UserID(7): domain.CodeNotAMember,
		} {
			if _, err := db.Messages.Pin(ctx, user, room, m.Seq, now); domain.CodeOf(err) != want {
				t.Errorf("%s pins: %v", user, err)
			}
			if _, err := db.Messages.Unpin(ctx, user, room, m.Seq, now); domain.CodeOf(err) != want {
				t.Errorf("%s unpins: %v", user, err)
			}
		}
		for _, seq := range []int64{1, m.Seq + 1} { // no message, and no event
			if _, err := db.Messages.Pin(ctx, testkit.UserID(0), room, seq, now); domain.CodeOf(err) != domain.CodeNoMessage {
				t.Errorf("event %d was pinned: %v", seq, err)
			}
		}
		for i := range domain.MaxPins {
			said := testkit.Say(t, db, testkit.UserID(0), room, "key"+time.Duration(i).String(), "text")
			if _, err := db.Messages.Pin(ctx, testkit.UserID(0), room, said.Seq, now); err != nil {
				t.Fatal(err)
			}
		}
		_, err := db.Messages.Pin(ctx, testkit.UserID(0), room, m.Seq, now)
		if domain.CodeOf(err) != domain.CodeTooManyPins {
			t.Errorf("one more: %v", err)
		}
		if n := len(pinned(t, db, room)); n != domain.MaxPins {
			t.Errorf("%d are listed", n)
		}
	})
}
