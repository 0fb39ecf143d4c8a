package rooms_test

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// Only rooms that both are in are told, those of the latest messages first, and no direct conversation.
func TestSharedRoomsAreThoseOfBoth(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		three := testkit.Room(t, db, 3)
		made := func(kind domain.RoomKind, name string, members ...string) string {
			st, _, err := db.Rooms.CreateRoom(t.Context(), testkit.UserID(0),
				domain.NewRoom{Kind: kind, Name: name, Members: members}, time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			return st.Room.ID
		}
		made(domain.PublicRoom, "Alone")
		made(domain.DirectRoom, "", testkit.UserID(1))
		two := made(domain.PrivateRoom, "Two", testkit.UserID(1))
		for other, want := range map[string][]string{
			testkit.UserID(1): {two, three}, testkit.UserID(2): {three}, "usr_nobody": nil,
		} {
			got, err := db.Rooms.SharedRooms(t.Context(), testkit.UserID(0), other)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v, %v; want %v", other, got, err, want)
			}
		}
	})
}
