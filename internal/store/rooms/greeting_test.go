package rooms_test

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// Who is in a room and who is in none are told the same of requests and of whom they have blocked.
func TestAGreetingNeedsNoRoom(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 3)
		ann, bob, eve := testkit.UserID(0), testkit.UserID(1), testkit.UserID(2)
		check := func(when string, rooms, requests int, blocked ...string) {
			t.Helper()
			g, err := db.Rooms.Greeting(ctx, bob)
			if err != nil || len(g.Rooms) != rooms || g.Requests != requests || !slices.Equal(g.Blocked, blocked) {
				t.Errorf("%s: %d rooms, %d requests, blocked %v: %v", when, len(g.Rooms), g.Requests, g.Blocked, err)
			}
		}
		check("at first", 1, 0)
		must(t, db.Rooms.SetRequestPolicy(ctx, bob, domain.AskEveryone))
		s, _, err := db.Rooms.CreateRoom(ctx, ann, domain.NewRoom{Kind: domain.PrivateRoom, Name: "Garden"}, now)
		must(t, err)
		_, err = db.Rooms.AddMember(ctx, ann, s.Room.ID, bob, now)
		must(t, err)
		check("with a request", 1, 1)
		_, err = db.Rooms.Block(ctx, bob, eve)
		must(t, err)
		check("with somebody blocked", 1, 1, eve)
		_, err = db.Rooms.RemoveRoom(ctx, room)
		must(t, err)
		check("without a room", 0, 1, eve)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
