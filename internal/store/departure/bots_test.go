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

// A deleted account has no bots, and gets none by a request that was under way.
func TestADeletedAccountGetsNoBot(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 2)
		owner := testkit.UserID(1)
		testkit.Bot(t, db, owner, "pong")
		if err := db.Departure.DeleteUser(ctx, owner, now); err != nil {
			t.Fatal(err)
		}
		id := domain.NewID(domain.UserPrefix)
		b := domain.Bot{User: domain.UserRef{ID: id, Username: "late", DisplayName: "late"}, Owner: owner}
		k := domain.BotToken{ID: domain.NewID(domain.BotTokenPrefix), Bot: id, Read: true}
		if err := db.Bots.CreateBot(ctx, b, k, []byte(k.ID), now); domain.CodeOf(err) != domain.CodeNoUser {
			t.Errorf("a bot of a deleted account: %v", err)
		}
		left, err := db.Bots.Bots(ctx, owner)
		if err != nil || len(left) != 0 {
			t.Errorf("it has %+v: %v", left, err)
		}
	})
}

// Whatever is first, the deletion of an account or a request for a bot: no bot is left.
func TestNoBotIsMadeBesideADeletion(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		const people = 8
		testkit.Room(t, db, people)
		for i := 1; i < people; i++ {
			owner := testkit.UserID(i)
			id := domain.NewID(domain.UserPrefix)
			b := domain.Bot{User: domain.UserRef{ID: id, Username: id[4:], DisplayName: "late"}, Owner: owner}
			k := domain.BotToken{ID: domain.NewID(domain.BotTokenPrefix), Bot: id, Read: true}
			made := make(chan error, 1)
			go func() { made <- db.Bots.CreateBot(ctx, b, k, []byte(k.ID), now) }()
			if err := db.Departure.DeleteUser(ctx, owner, now); err != nil {
				t.Error(err)
			}
			if err := <-made; err != nil && domain.CodeOf(err) != domain.CodeNoUser {
				t.Error(err)
			}
			left, err := db.Bots.Bots(ctx, owner)
			if err != nil || len(left) != 0 {
				t.Errorf("it has %+v: %v", left, err)
			}
		}
	})
}
