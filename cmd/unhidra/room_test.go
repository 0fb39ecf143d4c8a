package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/eventtest"
	"github.com/unhidra/unhidra/internal/wire"
)

// An export has each event once and in order, over several pages, and all texts that a legal hold
// preserved.
func TestRoomExport(t *testing.T) {
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		ann := domain.User{ID: fmt.Sprintf("usr_%026d", 1), Kind: domain.KindUser, Role: domain.SystemAdmin, Username: "ann",
			DisplayName: "Ann"}
		if err := db.Accounts.CreateUser(ctx, ann, "", domain.Signup{}, now); err != nil {
			t.Fatal(err)
		}
		made, _, err := db.Rooms.CreateRoom(ctx, ann.ID, domain.NewRoom{Kind: domain.PublicRoom, Name: "Lobby"}, now)
		if err != nil {
			t.Fatal(err)
		}
		room := made.Room.ID
		say := func(text string) int64 {
			e, _, err := db.Messages.AppendMessage(ctx, ann.ID, domain.Draft{Room: room, Key: text, Text: text}, nil, false, now)
			if err != nil {
				t.Fatal(err)
			}
			return e.Seq
		}
		edit := func(seq int64, text string) {
			if _, err := db.Messages.EditMessage(ctx, ann.ID, room, seq, text, nil, false, now); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Rooms.HoldRoom(ctx, ann.ID, room, true, now); err != nil {
			t.Fatal(err)
		}
		for i := range roomPage {
			say(fmt.Sprint("line ", i))
		}
		stays, goes := say("stays"), say("goes")
		for i := range roomPage + 1 {
			edit(stays, fmt.Sprint("stays ", i))
		}
		edit(goes, "<goes & is kept>")
		if _, err := db.Messages.DeleteMessage(ctx, ann.ID, room, goes, now); err != nil {
			t.Fatal(err)
		}
		r, err := db.Rooms.Room(ctx, room)
		if err != nil {
			t.Fatal(err)
		}
		say("said since")

		var out bytes.Buffer
		if err := newRoomExport(db, &out).room(ctx, r, exportHead{Program: "unhidra 1.0"}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != int(r.Head)+roomPage+1+2+2 {
			t.Fatalf("%d lines for %d events", len(lines), r.Head)
		}
		if !strings.HasPrefix(lines[0], `{"export":{"format":1,`) || !strings.Contains(lines[0], `"name":"Lobby"`) ||
			!strings.Contains(lines[0], `"held_since":"`) {
			t.Errorf("first line: %s", lines[0])
		}
		if want := fmt.Sprintf(`{"end":{"events":%d,"earlier":%d}}`, r.Head, roomPage+1+2); lines[len(lines)-1] != want {
			t.Errorf("last line: %s, want %s", lines[len(lines)-1], want)
		}
		seq, texts := int64(0), map[int64][]string{}
		for _, line := range lines {
			var l struct {
				Event   *struct{ Seq int64 }
				Earlier *exportEarlier
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			if l.Event != nil {
				if seq++; l.Event.Seq != seq {
					t.Fatalf("event %d instead of %d", l.Event.Seq, seq)
				}
			}
			if e := l.Earlier; e != nil {
				if e.Seq != seq || e.Version != len(texts[seq]) {
					t.Errorf("version %d of %d after event %d", e.Version, e.Seq, seq)
				}
				if deleted := e.DeletedBy != nil && e.DeletedBy.Username == "ann" && e.DeletedAt != nil; deleted != (seq == goes) {
					t.Errorf("deleted by %v at %v: %q", e.DeletedBy, e.DeletedAt, e.Text)
				}
				texts[seq] = append(texts[seq], e.Text)
			}
		}
		if got := fmt.Sprint(texts[goes]); got != "[goes <goes & is kept>]" || len(texts[stays]) != roomPage+1 ||
			texts[stays][0] != "stays" {
			t.Errorf("earlier texts: %v and %d, the first %q", got, len(texts[stays]), texts[stays][0])
		}
		if strings.Contains(out.String(), "said since") {
			t.Error("it goes on after the head that its first line names")
		}
	})
}

// An export has of each type of event what clients receive, and the stored payload of types that only
// a newer version knows.
func TestRoomExportHasEveryEvent(t *testing.T) {
	t.Parallel()
	line := func(e domain.Event) string {
		var out bytes.Buffer
		x := newRoomExport(nil, &out)
		if err := x.line("event", newExportEvent(e)); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(out.String(), "\n")
	}
	for _, s := range eventtest.Samples("room_1", domain.UserRef{ID: "usr_1"}, domain.UserRef{ID: "usr_2"}) {
		want, err := json.Marshal(map[string]wire.Event{"event": wire.FromEvent(s.Event)})
		if err != nil {
			t.Fatal(err)
		}
		if got := line(s.Event); got != string(want) {
			t.Errorf("%s is exported as %s, clients are told %s", s.Name, got, want)
		}
	}
	newer := domain.Event{Type: "reading.taken",
		Payload: domain.UnknownPayload{Version: 1, Stored: `{"v":1,"celsius":21.5}`}}
	if got := line(newer); !strings.Contains(got, `"type":"reading.taken"`) ||
		!strings.Contains(got, `"stored":{"v":1,"celsius":21.5}`) {
		t.Errorf("an unknown event is exported as %s", got)
	}
}
