package rooms_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// RoomAndMember returns the same room to everybody, and of a member what the list of
// members says.
func TestRoomAndMember(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room, owner, muted := testkit.Room(t, db, 2), testkit.UserID(0), testkit.UserID(1)
		until := time.Now().Add(time.Hour)
		if _, err := db.Rooms.Mute(t.Context(), owner, room, muted, until, time.Now()); err != nil {
			t.Fatal(err)
		}
		want, err := db.Rooms.Room(t.Context(), room)
		if err != nil {
			t.Fatal(err)
		}
		members, err := db.Rooms.Members(t.Context(), room, "", "", 10)
		if err != nil || len(members) != 2 {
			t.Fatalf("members: %+v, %v", members, err)
		}
		members = append(members, domain.Member{}) // a stranger
		for i, user := range []string{owner, muted, testkit.UserID(2)} {
			r, m, err := db.Rooms.RoomAndMember(t.Context(), room, user)
			if err != nil || !reflect.DeepEqual(r, want) || !reflect.DeepEqual(m, members[i]) {
				t.Errorf("%s: %+v, %+v, %v; want %+v, %+v", user, r, m, err, want, members[i])
			}
		}
		if !members[1].Muted(time.Now()) {
			t.Errorf("%+v is not muted", members[1])
		}
		if _, _, err := db.Rooms.RoomAndMember(t.Context(), domain.NewID(domain.RoomPrefix),
			owner); domain.CodeOf(err) != domain.CodeNoRoom {
			t.Errorf("no such room: %v", err)
		}
	})
}
