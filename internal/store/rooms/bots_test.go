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

// Nobody who is muted writes on through a bot: not one that is in the room, not one that comes in meanwhile.
func TestAMuteOfTheOwnerIsOneOfTheirBots(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 3)
		owner, muted, other := testkit.UserID(0), testkit.UserID(1), testkit.UserID(2)
		here, later := testkit.Bot(t, db, muted, "here"), testkit.Bot(t, db, muted, "later")
		others := testkit.Bot(t, db, other, "others")
		adds := func(by, bot string) {
			t.Helper()
			if _, err := db.Rooms.AddMember(ctx, by, room, bot, now); err != nil {
				t.Fatal(err)
			}
		}
		says := func(bot string) domain.Code {
			d := domain.Draft{Room: room, Key: domain.NewID("key"), Text: "x"}
			_, _, err := db.Messages.AppendMessage(ctx, bot, d, nil, false, now)
			return domain.CodeOf(err)
		}
		adds(muted, here)
		adds(other, others)
		if _, err := db.Rooms.Mute(ctx, owner, room, muted, now.Add(time.Hour), now); err != nil {
			t.Fatal(err)
		}
		adds(other, later)
		for bot, want := range map[string]domain.Code{here: domain.CodeMuted, later: domain.CodeMuted, others: ""} {
			if code := says(bot); code != want {
				t.Errorf("%s: %q, not %q", bot, code, want)
			}
		}
		if _, err := db.Rooms.Mute(ctx, owner, room, muted, time.Time{}, now); err != nil {
			t.Fatal(err)
		}
		for _, bot := range []string{here, later} {
			if code := says(bot); code != "" {
				t.Errorf("%s after the mute: %q", bot, code)
			}
		}
	})
}
