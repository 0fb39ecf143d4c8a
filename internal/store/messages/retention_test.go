package messages_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// setKeepLines returns a step that keeps the newest lines of a room, whatever their age.
func setKeepLines(t *testing.T, db *all.Store, room string, lines, limit int) domain.PurgeStep {
	t.Helper()
	to, err := db.Messages.NthNewestLine(t.Context(), room, lines)
	if err != nil {
		t.Error(err)
	}
	return domain.PurgeStep{UpTo: to, LineCutoff: time.Now().Add(time.Hour), Limit: limit}
}

func floor(t *testing.T, db *all.Store, room string) int64 {
	t.Helper()
	r, err := db.Rooms.Room(t.Context(), room)
	if err != nil {
		t.Error(err)
	}
	return r.Floor
}

func find(t *testing.T, db *all.Store, user, q string) (seqs []int64) {
	t.Helper()
	query, err := fulltext.Parse(q, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	hits, _, err := db.Search.Search(t.Context(), user, query, domain.Newest, domain.SearchCursor{}, 1000)
	if err != nil {
		t.Error(err)
	}
	for _, h := range hits {
		seqs = append(seqs, h.Message.Seq)
	}
	return seqs
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within two minutes: %s", what)
		}
	}
}

// Purged events disappear everywhere: from the log, earlier texts, mentions, the search index and the
// unread counts. The others stay as they were.
func TestPurge(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		room := testkit.Room(t, db, 2) // 1: created, 2 and 3: joined
		for i := 4; i <= 13; i++ {
			d := domain.Draft{Room: room, Key: fmt.Sprint(i), Text: fmt.Sprintf("needle %d", i)}
			if i == 13 {
				d.ReplyTo = 5
			}
			if _, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(0), d, []string{"user1"}, false,
				time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		// 14
		if _, err := db.Messages.EditMessage(ctx, testkit.UserID(0), room, 5, "needle five", nil, false,
			time.Now()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all are found", func() bool { return len(find(t, db, testkit.UserID(1), "needle")) == 10 })
		if _, err := db.Messages.MarkRead(ctx, testkit.UserID(1), room, 4, false, time.Now()); err != nil {
			t.Fatal(err)
		}

		p, err := db.Messages.Purge(ctx, room, domain.PurgeStep{Before: time.Now().Add(-time.Hour), Limit: 100})
		if err != nil || p.Events != 0 || p.Floor != 0 {
			t.Fatalf("nothing is that old: %+v, %v", p, err)
		}
		p, err = db.Messages.Purge(ctx, room, domain.PurgeStep{UpTo: 9, LineCutoff: time.Now().Add(-time.Hour), Limit: 100})
		if err != nil || p.Events != 0 {
			t.Fatalf("what is new is spared: %+v, %v", p, err)
		}
		// Three lines newer than 10 stay: 11, 12 and 13.
		p, err = db.Messages.Purge(ctx, room, setKeepLines(t, db, room, 3, 6))
		if err != nil || p.Events != 6 || p.Floor != 6 || !p.More {
			t.Fatalf("first step: %+v, %v", p, err)
		}
		p, err = db.Messages.Purge(ctx, room, setKeepLines(t, db, room, 3, 6))
		if err != nil || p.Floor != 10 || p.More {
			t.Fatalf("second step: %+v, %v", p, err)
		}

		events, err := db.Log.Replay(ctx, domain.WholeLog(room), 0, 100)
		if err != nil || len(events) != 4 || events[0].Seq != 11 || events[3].Type != domain.MessageEdited {
			t.Fatalf("%d events are left, %v", len(events), err)
		}
		if m := events[3].Message; m != nil {
			t.Errorf("an edit of a message that is gone shows %+v", m)
		}
		if q := events[2].Message.ReplyTo; q == nil || q.Seq != 5 || !q.Deleted || q.Excerpt != "" {
			t.Errorf("the reply quotes %+v", q)
		}
		if got := find(t, db, testkit.UserID(1), "needle"); fmt.Sprint(got) != "[13 12 11]" {
			t.Errorf("found %v", got)
		}
		if v, err := db.Log.Versions(ctx, domain.WholeLog(room), 5); err != nil || len(v) != 0 {
			t.Errorf("earlier texts: %v, %v", v, err)
		}
		if _, err := db.Log.MessageAt(ctx, domain.WholeLog(room), 10); domain.CodeOf(err) != domain.CodeNoMessage {
			t.Errorf("a message that is gone: %v", err)
		}
		s, err := db.Rooms.RoomState(ctx, testkit.UserID(1), room)
		if err != nil || s.Messages != 3 || s.Mentions != 3 || s.Room.Floor != 10 || s.Room.Head != 14 {
			t.Errorf("state %+v, %v", s, err)
		}
		if err := db.Check(ctx); err != nil {
			t.Error(err)
		}
		if _, err := db.Messages.EditMessage(ctx, testkit.UserID(0), room, 6, "late", nil, false,
			time.Now()); domain.CodeOf(err) != domain.CodeNoMessage {
			t.Errorf("an edit of a message that is gone: %v", err)
		}

		// Everything goes; numbers go on.
		p, err = db.Messages.Purge(ctx, room, domain.PurgeStep{Before: time.Now().Add(time.Hour), Limit: 100})
		if err != nil || p.Floor != 14 {
			t.Fatalf("all: %+v, %v", p, err)
		}
		if err := db.Check(ctx); err != nil {
			t.Error(err)
		}
		if e := testkit.Say(t, db, testkit.UserID(0), room, "again", "needle again"); e.Seq != 15 {
			t.Errorf("the next number is %d", e.Seq)
		}
		eventually(t, "what comes after is found",
			func() bool { return fmt.Sprint(find(t, db, testkit.UserID(1), "needle")) == "[15]" })
	})
}

// A legal hold stops purging by age and by hand, and members see it. What they delete is hidden, and
// preserved.
func TestLegalHold(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 2)
		said := testkit.Say(t, db, testkit.UserID(1), room, "1", "first text")
		if _, err := db.Messages.EditMessage(ctx, testkit.UserID(1), room, said.Seq, "second text", nil, false,
			now); err != nil {
			t.Fatal(err)
		}
		boss := domain.User{ID: testkit.UserID(9), Kind: domain.KindUser, Role: domain.SystemAdmin, Username: "boss",
			DisplayName: "Boss"}
		if err := db.Accounts.CreateUser(ctx, boss, "", domain.Signup{}, now); err != nil {
			t.Fatal(err)
		}
		e, err := db.Rooms.HoldRoom(ctx, boss.ID, room, true, now)
		if p, _ := e.Payload.(domain.RoomUpdatedPayload); err != nil || p.Held == nil || !*p.Held {
			t.Fatalf("hold: %+v, %v", e, err)
		}
		if _, err := db.Rooms.HoldRoom(ctx, boss.ID, room, true, now); domain.CodeOf(err) != domain.CodeHoldUnchanged {
			t.Errorf("held twice: %v", err)
		}
		if p, err := db.Messages.Purge(ctx, room, domain.PurgeStep{Before: now.Add(time.Hour), Limit: 10}); err != nil ||
			p.Events != 0 {
			t.Errorf("purged under a hold: %+v, %v", p, err)
		}
		if _, err := db.Rooms.DeleteRoom(ctx, testkit.UserID(0), room, now); domain.CodeOf(err) != domain.CodeRoomHeld {
			t.Errorf("deleted under a hold: %v", err)
		}
		if _, err := db.Messages.DeleteMessage(ctx, testkit.UserID(1), room, said.Seq, now); err != nil {
			t.Fatal(err)
		}
		m, err := db.Log.MessageAt(ctx, domain.WholeLog(room), said.Seq)
		if err != nil || m.Text != "" || m.DeletedAt.IsZero() {
			t.Errorf("the deleted message: %+v, %v", m, err)
		}
		if v, err := db.Log.Versions(ctx, domain.WholeLog(room), said.Seq); err != nil || len(v) != 0 {
			t.Errorf("its earlier texts: %v, %v", v, err)
		}
		held, err := db.Log.EarlierTexts(ctx, room, said.Seq, -1, 10)
		if err != nil || len(held) != 2 || held[0].Text != "first text" || held[1].Text != "second text" ||
			held[1].DeletedBy.ID != testkit.UserID(1) || held[1].DeletedAt.IsZero() {
			t.Errorf("for the record: %+v, %v", held, err)
		}
		if _, err := db.Rooms.HoldRoom(ctx, boss.ID, room, false, now); err != nil {
			t.Fatal(err)
		}
		if held, err := db.Log.EarlierTexts(ctx, room, said.Seq, -1, 10); err != nil || len(held) != 0 {
			t.Errorf("after the hold: %+v, %v", held, err)
		}
		if p, err := db.Messages.Purge(ctx, room, domain.PurgeStep{Before: now.Add(time.Hour), Limit: 100}); err != nil ||
			p.Events == 0 {
			t.Errorf("after the hold: %+v, %v", p, err)
		}
	})
}

// A deleted room is gone for everybody at once. Its messages are purged in small steps.
func TestDeletedRoomIsPurged(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 2)
		for i := range 25 {
			testkit.Say(t, db, testkit.UserID(i%2), room, fmt.Sprint(i), "word")
		}
		r, err := db.Rooms.Room(ctx, room)
		if err != nil {
			t.Fatal(err)
		}
		members, err := db.Rooms.DeleteRoom(ctx, testkit.UserID(0), room, now)
		if err != nil || len(members) != 2 {
			t.Fatalf("delete: %v, %v", members, err)
		}
		for what, try := range map[string]func() error{
			"read":  func() error { _, err := db.Rooms.Room(ctx, room); return err },
			"place": func() error { _, _, err := db.Rooms.RoomAndMember(ctx, room, testkit.UserID(0)); return err },
			"write": func() error {
				_, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(0), domain.Draft{Room: room, Key: "x", Text: "x"}, nil,
					false, now)
				return err
			},
			"mark":    func() error { _, err := db.Messages.MarkRead(ctx, testkit.UserID(0), room, 1, false, now); return err },
			"join":    func() error { _, err := db.Rooms.Join(ctx, testkit.UserID(1), room, now); return err },
			"delete":  func() error { _, err := db.Rooms.DeleteRoom(ctx, testkit.UserID(0), room, now); return err },
			"remove":  func() error { _, err := db.Rooms.RemoveRoom(ctx, room); return err },
			"archive": func() error { return db.Rooms.ArchiveRoom(ctx, testkit.UserID(0), room, true, now) },
			"hold":    func() error { _, err := db.Rooms.HoldRoom(ctx, testkit.UserID(0), room, true, now); return err },
			"purge": func() error {
				_, err := db.Messages.Purge(ctx, room, domain.PurgeStep{Before: now.Add(time.Hour), Limit: 10})
				return err
			},
		} {
			if err := try(); domain.CodeOf(err) != domain.CodeNoRoom {
				t.Errorf("%s: %v", what, err)
			}
		}
		states, err1 := db.Rooms.RoomStates(ctx, testkit.UserID(0))
		all, err2 := db.Rooms.AllRooms(ctx, "", domain.RoomsByName, "", 10)
		heads, err3 := db.Log.Heads(ctx, []string{room})
		if err := errors.Join(err1, err2, err3); err != nil || len(states)+len(all)+len(heads) != 0 {
			t.Errorf("listed: %v, %v, %v, %v", states, all, heads, err)
		}
		eventually(t, "nothing of it is found", func() bool { return len(find(t, db, testkit.UserID(0), "word")) == 0 })

		left, err := db.Messages.Purgeable(ctx, "", 10)
		if err != nil || len(left) != 1 || !left[0].Deleted {
			t.Fatalf("to be forgotten: %+v, %v", left, err)
		}
		events, steps := 0, 0
		for more := true; more; steps++ {
			p, err := db.Messages.PurgeDeleted(ctx, room, 10)
			if err != nil {
				t.Fatal(err)
			}
			events, more = events+p.Events, p.More
		}
		if want := int(r.Head); events != want || steps != (want+9)/10 {
			t.Errorf("%d events went in %d steps; there were %d", events, steps, want)
		}
		rest, err1 := db.Log.Replay(ctx, domain.WholeLog(room), 0, 100)
		left, err2 = db.Messages.Purgeable(ctx, "", 10)
		if err := errors.Join(err1, err2); err != nil || len(rest)+len(left) != 0 {
			t.Errorf("left: %v, %v, %v", rest, left, err)
		}
		if p, err := db.Messages.PurgeDeleted(ctx, room, 10); err != nil || p.Events != 0 || p.More {
			t.Errorf("forgotten twice: %+v, %v", p, err)
		}
	})
}
