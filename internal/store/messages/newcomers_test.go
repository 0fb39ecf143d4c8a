package messages_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// In a private room that hides its history, whoever joins sees nothing of before by any way to read; who was there sees
// all, and who returns sees what came since.
func TestNewcomers(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 3)
		ann, bob, eve := testkit.UserID(0), testkit.UserID(1), testkit.UserID(2)
		st, _, err := db.Rooms.CreateRoom(ctx, ann, domain.NewRoom{Kind: domain.PrivateRoom, Name: "Den",
			Members: []string{bob}}, now)
		check(t, err)
		room, yes := st.Room.ID, true
		first := testkit.Say(t, db, ann, room, "1", "a secret")
		_, err = db.Messages.EditMessage(ctx, ann, room, first.Seq, "the secret", nil, false, now)
		check(t, err)
		_, err = db.Messages.Pin(ctx, ann, room, first.Seq, now)
		check(t, err)
		reply(t, db, ann, room, "2", "secret reply", domain.Draft{Thread: first.Seq})
		change := func(c domain.RoomChange) error { _, err := db.Rooms.UpdateRoom(ctx, ann, room, c, now); return err }
		check(t, change(domain.RoomChange{Hides: &yes}))
		public := domain.PublicRoom
		if err := change(domain.RoomChange{Kind: &public}); domain.KindOf(err) != domain.Invalid {
			t.Errorf("a room that hides its history becomes public: %v", err)
		}
		joined, err := db.Rooms.AddMember(ctx, ann, room, eve, now)
		check(t, err)
		since := joined.Seq - 1
		quote := reply(t, db, ann, room, "3", "yes", domain.Draft{ReplyTo: first.Seq})
		later := reply(t, db, bob, room, "4", "later", domain.Draft{Thread: first.Seq})
		_, err = db.Messages.EditMessage(ctx, ann, room, first.Seq, "a secret again", nil, false, now)
		check(t, err)

		_, m, err := db.Rooms.RoomAndMember(ctx, room, eve)
		check(t, err)
		v := m.View()
		if v.Since != since {
			t.Fatalf("Eve sees what is after %d, and joined by %d", v.Since, joined.Seq)
		}
		if _, m, err := db.Rooms.RoomAndMember(ctx, room, bob); err != nil || m.Since != 0 {
			t.Errorf("who was there sees what is after %d, %v", m.Since, err)
		}
		for name, read := range map[string]func() (any, error){
			"timeline": func() (any, error) { return db.Log.Timeline(ctx, v, domain.PageQuery{Limit: 50}) },
			"folded":   func() (any, error) { return db.Log.Timeline(ctx, v, domain.PageQuery{Limit: 50, Fold: true}) },
			"after":    func() (any, error) { return db.Log.Timeline(ctx, v, domain.PageQuery{After: 1, Limit: 50}) },
			"around":   func() (any, error) { return db.Log.Timeline(ctx, v, domain.PageQuery{Around: first.Seq, Limit: 50}) },
			"at":       func() (any, error) { return db.Log.Timeline(ctx, v, domain.PageQuery{At: time.Unix(1, 0), Limit: 50}) },
			"replay":   func() (any, error) { return db.Log.Replay(ctx, v, 0, 100) },
			"thread":   func() (any, error) { return db.Log.Thread(ctx, v, first.Seq, domain.PageQuery{Limit: 50}) },
			"pins":     func() (any, error) { return db.Log.Pins(ctx, v) },
			"state":    func() (any, error) { return db.Rooms.RoomState(ctx, eve, room) },
			"search": func() (any, error) {
				q, err := fulltext.Parse("yes", time.UTC)
				check(t, err)
				hits, _, err := db.Search.Search(ctx, eve, q, domain.Newest, domain.SearchCursor{}, 10)
				return hits, err
			},
		} {
			got, err := read()
			if b, _ := json.Marshal(got); err != nil || strings.Contains(string(b), "secret") {
				t.Errorf("%s shows %s, %v", name, b, err)
			}
		}
		events, err := db.Log.Replay(ctx, v, 0, 100)
		if err != nil || len(events) != 4 || events[0].Seq != joined.Seq || events[1].Message.ReplyTo.Seq != first.Seq ||
			!events[1].Message.ReplyTo.Hidden || !events[3].Message.Hidden {
			t.Errorf("replay: %+v, %v", events, err)
		}
		for name, err := range map[string]error{
			"message":  second(db.Log.MessageAt(ctx, v, first.Seq)),
			"versions": second(db.Log.Versions(ctx, v, first.Seq)),
			"pin":      second(db.Messages.Unpin(ctx, eve, room, first.Seq, now)),
			"save":     second(db.Personal.Save(ctx, eve, room, first.Seq, now)),
			"unread":   second(db.Messages.MarkUnread(ctx, eve, room, first.Seq, now)),
		} {
			if code := domain.CodeOf(err); code != domain.CodeNoMessage && code != domain.CodeRoleTooLow {
				t.Errorf("%s: %v", name, err)
			}
		}
		d := domain.Draft{Room: room, Key: "q", Text: "?", ReplyTo: first.Seq}
		_, _, err = db.Messages.AppendMessage(ctx, eve, d, nil, false, now)
		if domain.KindOf(err) != domain.Invalid {
			t.Errorf("Eve answers what she does not see: %v", err)
		}
		own := reply(t, db, eve, room, "5", "I see", domain.Draft{Thread: first.Seq})
		if q := own.Message.ReplyTo; q == nil || !q.Hidden || q.Excerpt != "" {
			t.Errorf("Eve's reply quotes %+v", q)
		}
		whole, err := db.Log.MessageAt(ctx, domain.WholeLog(room), own.Seq)
		if err != nil || whole.ReplyTo.Excerpt != "a secret again" {
			t.Errorf("for others it quotes %+v, %v", whole.ReplyTo, err)
		}
		page, err := db.Log.Thread(ctx, v, first.Seq, domain.PageQuery{Limit: 9})
		if err != nil || len(page.Events) != 2 || page.Events[0].Seq != later.Seq || page.Older {
			t.Errorf("the thread has %+v, %v", page, err)
		}
		if q, err := db.Log.MessageAt(ctx, domain.WholeLog(room), quote.Seq); err != nil || q.ReplyTo.Hidden {
			t.Errorf("for others a quote is %+v, %v", q.ReplyTo, err)
		}
		returns(t, db, room, bob, first.Seq)
	})
}

// returns has a member leave and come back.
func returns(t *testing.T, db *all.Store, room, user string, first int64) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	if _, err := db.Personal.Save(ctx, user, room, first, now); err != nil {
		t.Fatal(err)
	}
	_, err := db.Departure.Leave(ctx, user, room, now)
	check(t, err)
	_, err = db.Rooms.AddMember(ctx, testkit.UserID(0), room, user, now)
	check(t, err)
	saved, err := db.Personal.Saved(ctx, user, domain.SavedCursor{}, 10)
	if err != nil || len(saved) != 0 {
		t.Errorf("after their return they have saved %+v, %v", saved, err)
	}
	if st, err := db.Rooms.RoomState(ctx, user, room); err != nil || st.Since == 0 || st.Last != nil {
		t.Errorf("after their return the room is %+v, %v", st, err)
	}
}

func reply(t *testing.T, db *all.Store, user, room, key, text string, d domain.Draft) domain.Event {
	t.Helper()
	d.Room, d.Key, d.Text = room, key, text
	e, _, err := db.Messages.AppendMessage(context.WithoutCancel(t.Context()), user, d, nil, false, time.Now())
	check(t, err)
	return e
}

func second[T any](_ T, err error) error { return err }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
