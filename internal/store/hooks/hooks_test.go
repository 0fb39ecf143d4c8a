package hooks_test

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func create(t *testing.T, db *all.Store, room, secret string) (domain.Hook, error) {
	t.Helper()
	return db.Hooks.CreateHook(t.Context(), testkit.UserID(0), domain.Hook{ID: domain.NewID(domain.HookPrefix), Room: room,
		User: domain.UserRef{DisplayName: "Grafana"}}, []byte(secret), time.Now())
}

// A webhook is a member of its room and nobody anywhere else, and ends with its membership.
func TestAWebhookExistsAsLongAsItIsInItsRoom(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, ann, bob := testkit.Room(t, db, 3), testkit.UserID(0), testkit.UserID(1)
		h, err := create(t, db, room, "a")
		if err != nil || !h.User.IsHook() || h.User.DisplayName != "Grafana" || h.CreatedBy.ID != ann {
			t.Fatalf("%+v, %v", h, err)
		}
		found, err := db.Accounts.SearchUsers(ctx, "Graf", "", "", 10)
		if err != nil || len(found) > 0 {
			t.Errorf("it is found among people: %v, %v", found, err)
		}
		everybody, err := db.Accounts.AllUsers(ctx)
		if err != nil || slices.ContainsFunc(everybody, func(u domain.User) bool { return u.ID == h.ID }) {
			t.Errorf("it is an account: %v, %v", everybody, err)
		}
		other, _, err := db.Rooms.CreateRoom(ctx, bob, domain.NewRoom{Kind: domain.PublicRoom, Name: "Other"}, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Rooms.AddMember(ctx, bob, other.Room.ID, h.ID, now); domain.CodeOf(err) != domain.CodeNoUser {
			t.Errorf("it is added to another room: %v", err)
		}
		if _, err := db.Rooms.TransferOwnership(ctx, ann, room, h.ID, now); domain.CodeOf(err) != domain.CodeDeviceOwner {
			t.Errorf("it owns a room: %v", err)
		}
		testkit.Say(t, db, h.ID, room, "k", "fire")
		if _, err := db.Departure.Kick(ctx, ann, room, h.ID, "", now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Hooks.HookByHash(ctx, []byte("a")); domain.CodeOf(err) != domain.CodeNoHook {
			t.Errorf("after a kick there is %v", err)
		}
	})
}

// What webhooks and bots write counts for whoever made them.
func TestMessagesOfProgramsCountForTheirOwners(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, ann := testkit.Room(t, db, 2), testkit.UserID(0)
		h, err := create(t, db, room, "a")
		if err != nil {
			t.Fatal(err)
		}
		bot := domain.Bot{User: domain.UserRef{ID: domain.NewID(domain.UserPrefix), Kind: domain.KindBot, Username: "clock",
			DisplayName: "Clock"}, Owner: ann, CreatedAt: now}
		k := domain.BotToken{ID: domain.NewID(domain.BotTokenPrefix), Bot: bot.User.ID, Name: "Kitchen", Write: true,
			CreatedAt: now}
		if err := db.Bots.CreateBot(ctx, bot, k, []byte("hash"), now); err != nil {
			t.Fatal(err)
		}
		if found, err := db.Bots.TokenByHash(ctx, []byte("hash")); err != nil || found.Owner != ann {
			t.Errorf("the token is of a bot of %q: %v", found.Owner, err)
		}
		if _, err := db.Rooms.AddMember(ctx, ann, room, bot.User.ID, now); err != nil {
			t.Fatal(err)
		}
		testkit.Say(t, db, h.ID, room, "1", "fire")
		testkit.Say(t, db, bot.User.ID, room, "2", "noon")
		for user, want := range map[string]int64{ann: 208, testkit.UserID(1): 0} {
			if n, err := db.Messages.StoredBy(ctx, user, 100); err != nil || n != want {
				t.Errorf("%d bytes are counted, want %d: %v", n, want, err)
			}
		}
	})
}

// The last person may leave a room that has only webhooks besides; these end.
func TestTheLastPersonLeavesWebhooksBehind(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		room := testkit.Room(t, db, 1)
		if _, err := create(t, db, room, "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Departure.Leave(ctx, testkit.UserID(0), room, time.Now()); err != nil {
			t.Fatal(err)
		}
		r, err := db.Rooms.Room(ctx, room)
		if hooks, failed := db.Hooks.Hooks(ctx, room); err != nil || failed != nil || len(hooks) > 0 || r.Members != 0 ||
			!r.Archived {
			t.Errorf("%+v has %v: %v, %v", r, hooks, err, failed)
		}
		if err := db.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

// Who is banned knows the addresses of the webhooks that they made; these end, those of others stay. Somebody who was
// kicked before is no other case.
func TestABanEndsTheWebhooksThatItsUserMade(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, ann := testkit.Room(t, db, 4), testkit.UserID(0)
		if _, err := create(t, db, room, "ann's"); err != nil {
			t.Fatal(err)
		}
		admins := map[string]string{"member": testkit.UserID(1), "kicked": testkit.UserID(2)}
		for secret, admin := range admins {
			if _, err := db.Rooms.SetRole(ctx, ann, room, admin, domain.Admin, now); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Hooks.CreateHook(ctx, admin, domain.Hook{ID: domain.NewID(domain.HookPrefix), Room: room,
				User: domain.UserRef{DisplayName: secret}}, []byte(secret), now); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Departure.Kick(ctx, ann, room, admins["kicked"], "", now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Hooks.HookByHash(ctx, []byte("kicked")); err != nil {
			t.Errorf("after a kick: %v", err)
		}
		for secret, admin := range admins {
			if _, err := db.Departure.Ban(ctx, ann, room, admin, "", now); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Hooks.HookByHash(ctx, []byte(secret)); domain.CodeOf(err) != domain.CodeNoHook {
				t.Errorf("the webhook of a banned %s: %v", secret, err)
			}
		}
		r, err := db.Rooms.Room(ctx, room)
		if left, failed := db.Hooks.Hooks(ctx, room); err != nil || failed != nil || len(left) != 1 || r.Members != 3 {
			t.Errorf("%d members, webhooks %v: %v, %v", r.Members, left, err, failed)
		}
		if err := db.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestARoomHasAtMostSoManyWebhooks(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 1)
		for i := range domain.MaxHooks {
			if _, err := create(t, db, room, string(rune('a'+i))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := create(t, db, room, "more"); domain.CodeOf(err) != domain.CodeTooManyHooks {
			t.Errorf("one more: %v", err)
		}
	})
}
