package rooms_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// What a bot says it has read has a place for each of its rooms, so that these are bounded, also where those of
// people are not.
func TestABotIsInSoManyRoomsAtMost(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		lobby := testkit.Room(t, db, 1)
		owner := testkit.UserID(0)
		bot := testkit.Bot(t, db, owner, "pong")
		for i := range domain.MaxBotRooms {
			n := domain.NewRoom{Kind: domain.PrivateRoom, Name: fmt.Sprint("Room ", i), Members: []string{bot}}
			if _, _, err := db.Rooms.CreateRoom(ctx, owner, n, now); err != nil {
				t.Fatal(err)
			}
		}
		_, err := db.Rooms.AddMember(ctx, owner, lobby, bot, now)
		if domain.CodeOf(err) != domain.CodeTooManyRooms {
			t.Errorf("one more: %v", err)
		}
		in, err := db.Bots.BotRooms(ctx, bot)
		if err != nil || len(in) != domain.MaxBotRooms {
			t.Errorf("it is in %d rooms: %v", len(in), err)
		}
	})
}
