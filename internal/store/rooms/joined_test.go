package rooms_test

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func TestJoinedSince(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		now := time.Now()
		later, _, err := db.Rooms.CreateRoom(t.Context(), testkit.UserID(1),
			domain.NewRoom{Kind: domain.PublicRoom, Name: "Later"}, now.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		ms, err := db.Rooms.JoinedSince(t.Context(), now.Add(time.Minute))
		if err != nil || len(ms) != 1 || ms[0].Room != later.Room.ID || ms[0].User.ID != testkit.UserID(1) {
			t.Errorf("of late: %+v, %v", ms, err)
		}
		ms, err = db.Rooms.JoinedSince(t.Context(), now.Add(-time.Minute))
		if err != nil || len(ms) != 3 || ms[0].Room != later.Room.ID || ms[1].Room != room {
			t.Errorf("all: %+v, %v", ms, err)
		}
	})
}
