package departure_test

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// Nobody who is banned reads or writes on through a bot, whoever added it, and whether they were a member or not.
func TestABanOfTheOwnerIsOneOfTheirBots(t *testing.T) {
	t.Parallel()
	for name, member := range map[string]bool{"a member": true, "not a member": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.EachStore(t, func(t *testing.T, db *all.Store) {
				ctx, now := t.Context(), time.Now()
				room := testkit.Room(t, db, 3)
				owner, banned, other := testkit.UserID(0), testkit.UserID(1), testkit.UserID(2)
				bot := testkit.Bot(t, db, banned, "pong")
				if _, err := db.Rooms.AddMember(ctx, other, room, bot, now); err != nil {
					t.Fatal(err)
				}
				if !member {
					leavesWithoutBots(t, db, room, banned, bot, now)
				}
				if _, err := db.Departure.Ban(ctx, owner, room, banned, "", now); err != nil {
					t.Fatal(err)
				}
				in, err := db.Bots.BotRooms(ctx, bot)
				if err != nil || len(in) != 0 {
					t.Errorf("the bot is in %+v: %v", in, err)
				}
				_, err = db.Rooms.AddMember(ctx, other, room, bot, now)
				if domain.CodeOf(err) != domain.CodeBanned {
					t.Errorf("the bot is added again: %v", err)
				}
				if _, err := db.Rooms.Unban(ctx, owner, room, banned, now); err != nil {
					t.Fatal(err)
				}
				if _, err := db.Rooms.AddMember(ctx, other, room, bot, now); err != nil {
					t.Errorf("after the ban: %v", err)
				}
			})
		})
	}
}

// leavesWithoutBots has user leave room, and another member add the bot of user again.
func leavesWithoutBots(t *testing.T, db *all.Store, room, user, bot string, now time.Time) {
	t.Helper()
	_, err := db.Departure.Leave(t.Context(), user, room, now)
	if err == nil {
		_, err = db.Rooms.AddMember(t.Context(), testkit.UserID(2), room, bot, now)
	}
	if err != nil {
		t.Fatal(err)
	}
}
