package messages_test

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A message has what it forwards in pages and by its number, keeps it when the original is deleted, and loses it when
// it is deleted itself. It cannot be edited.
func TestForwards(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		from := testkit.Room(t, db, 2)
		other, _, err := db.Rooms.CreateRoom(ctx, testkit.UserID(0), domain.NewRoom{Kind: domain.PrivateRoom, Name: "Other"},
			now)
		if err != nil {
			t.Fatal(err)
		}
		to := other.Room.ID
		send := func(user int, d domain.Draft) domain.Event {
			t.Helper()
			e, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(user), d, nil, false, now)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		said := send(1, domain.Draft{Room: from, Key: "said", Text: "tea\n> or *not*"})
		f, text, err := domain.ForwardOf(*said.Message, "look")
		if err != nil {
			t.Fatal(err)
		}
		sent := send(0, domain.Draft{Room: to, Key: "fwd", Text: text, ContentType: domain.ContentForward, Forward: &f})
		if _, err := db.Messages.DeleteMessage(ctx, testkit.UserID(1), from, said.Seq, now); err != nil {
			t.Fatal(err)
		}
		at, err := db.Log.MessageAt(ctx, domain.WholeLog(to), sent.Seq)
		if err != nil {
			t.Fatal(err)
		}
		page, err := db.Log.Timeline(ctx, domain.WholeLog(to), domain.PageQuery{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		again := send(0, domain.Draft{Room: to, Key: "fwd", Text: "other"})
		for what, m := range map[string]*domain.Message{"the event": sent.Message, "the message": &at,
			"the page": page.Events[len(page.Events)-1].Message, "the repeated key": again.Message} {
			if g := m.Forward; g == nil || g.Room != from || g.Seq != said.Seq || g.Sender.ID != testkit.UserID(1) ||
				!g.At.Equal(said.At) || g.Note != "look" || g.Text != "tea\n> or *not*" || g.Cut {
				t.Errorf("%s has %+v", what, g)
			}
		}
		_, err = db.Messages.EditMessage(ctx, testkit.UserID(0), to, sent.Seq, "mine", nil, false, now)
		refused(t, "an edit", err, domain.CodeForwardFixed)
		if _, err := db.Messages.DeleteMessage(ctx, testkit.UserID(0), to, sent.Seq, now); err != nil {
			t.Fatal(err)
		}
		if at, err = db.Log.MessageAt(ctx, domain.WholeLog(to), sent.Seq); err != nil || at.Forward != nil {
			t.Errorf("deleted: %+v, %v", at.Forward, err)
		}
		var left int
		if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM forwards`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d rows are left, %v", left, err)
		}
	})
}
