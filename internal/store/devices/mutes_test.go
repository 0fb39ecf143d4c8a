package devices_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func TestAMuteOutlastsLeavingAndCoversDevices(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		owner, muted := testkit.UserID(0), testkit.UserID(1)
		now := time.Now().Truncate(time.Second)
		add := func(id string) {
			t.Helper()
			if _, err := db.Rooms.AddMember(t.Context(), muted, room, id, now); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		says := func(who string) domain.Code {
			t.Helper()
			n++
			d := domain.Draft{Room: room, Key: fmt.Sprint(n), Text: "x"}
			_, _, err := db.Messages.AppendMessage(t.Context(), who, d, nil, false, now)
			return domain.CodeOf(err)
		}
		first, second := mustDevice(t, db, muted, 1, now), mustDevice(t, db, muted, 2, now)
		add(first)
		if err := mute(t, db, owner, room, muted, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		add(second) // comes in later
		for _, who := range []string{muted, first, second} {
			if code := says(who); code != domain.CodeMuted {
				t.Errorf("%s after the mute: %q", who, code)
			}
		}
		if _, err := db.Departure.Leave(t.Context(), muted, room, now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Rooms.Join(t.Context(), muted, room, now); err != nil {
			t.Fatal(err)
		}
		add(first)
		st, err := db.Rooms.RoomState(t.Context(), muted, room)
		if err != nil || !st.Muted.Equal(now.Add(time.Hour)) {
			t.Errorf("back again, muted until %v, %v", st.Muted, err)
		}
		for _, who := range []string{muted, first} {
			if code := says(who); code != domain.CodeMuted {
				t.Errorf("%s, left and came back: %q", who, code)
			}
		}
		if err := mute(t, db, owner, room, muted, time.Time{}); err != nil {
			t.Fatal(err)
		}
		for _, who := range []string{muted, first} {
			if code := says(who); code != "" {
				t.Errorf("%s after the mute ended: %q", who, code)
			}
		}
		if _, err := db.Departure.Leave(t.Context(), muted, room, now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Rooms.Join(t.Context(), muted, room, now); err != nil {
			t.Fatal(err)
		}
		if code := says(muted); code != "" {
			t.Errorf("a mute that ended came back: %q", code)
		}
	})
}

func mute(t *testing.T, db *all.Store, by, room, user string, until time.Time) error {
	_, err := db.Rooms.Mute(t.Context(), by, room, user, until, time.Now())
	return err
}
