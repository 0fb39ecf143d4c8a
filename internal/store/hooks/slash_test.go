package hooks_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func createSlash(t *testing.T, db *all.Store, room, actor, name string) (domain.SlashCommand, error) {
	t.Helper()
	return db.Slash.CreateSlash(t.Context(), actor, domain.SlashCommand{ID: domain.NewID(domain.SlashPrefix), Room: room,
		Name: name, Description: "Deploys", Hint: "SERVICE", URL: "https://example.org/"}, time.Now())
}

// A slash command is a member of its room, once for each name. Only admins make and change it.
func TestASlashCommandIsAMemberOfItsRoom(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.UnixMilli(time.Now().UnixMilli())
		room, ann, bob := testkit.Room(t, db, 2), testkit.UserID(0), testkit.UserID(1)
		c, err := createSlash(t, db, room, ann, "deploy")
		if err != nil || c.User.DisplayName != "/deploy" || c.Generation != 1 || c.CreatedBy.ID != ann {
			t.Fatalf("%+v, %v", c, err)
		}
		if _, err := createSlash(t, db, room, ann, "deploy"); domain.CodeOf(err) != domain.CodeSlashExists {
			t.Errorf("another one of its name: %v", err)
		}
		for i := range domain.MaxSlashCommands - 1 {
			if _, err := createSlash(t, db, room, ann, fmt.Sprint("c", i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := createSlash(t, db, room, ann, "more"); domain.CodeOf(err) != domain.CodeTooManyHooks {
			t.Errorf("one too many: %v", err)
		}
		off := false
		for what, err := range map[string]error{
			"make":   func() error { _, err := createSlash(t, db, room, bob, "x"); return err }(),
			"change": func() error { _, err := db.Slash.ChangeSlash(ctx, bob, room, c.ID, hint("x"), &off, now); return err }(),
			"rotate": func() error { _, err := db.Slash.RotateSlash(ctx, bob, room, c.ID, now); return err }(),
			"remove": func() error { _, err := db.Slash.RemoveSlash(ctx, bob, room, c.ID, now); return err }(),
		} {
			if domain.KindOf(err) != domain.Forbidden {
				t.Errorf("a member may %s: %v", what, err)
			}
		}
		if c, err = db.Slash.RotateSlash(ctx, ann, room, c.ID, now); err != nil || c.Generation != 2 ||
			!c.RotatedAt.Equal(now) {
			t.Errorf("rotated: %+v, %v", c, err)
		}
		if err := db.Slash.NoteSlash(ctx, c, "it is away", now); err != nil {
			t.Fatal(err)
		}
		if c, err = db.Slash.SlashNamed(ctx, room, "deploy", false); err != nil || c.Failure != "it is away" ||
			!c.FailedAt.Equal(now) || !c.UsedAt.IsZero() {
			t.Errorf("noted: %+v, %v", c, err)
		}
		c, err = db.Slash.ChangeSlash(ctx, ann, room, c.ID, hint("WHAT"), &off, now)
		if err != nil || c.Off != domain.HookOffByAdmin || c.Hint != "WHAT" {
			t.Errorf("off: %+v, %v", c, err)
		}
		if _, err := db.Slash.RemoveSlash(ctx, ann, room, c.ID, now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Slash.SlashNamed(ctx, room, "deploy", false); domain.CodeOf(err) != domain.CodeNoSlash {
			t.Errorf("removed: %v", err)
		}
		left, err := db.Slash.SlashCommands(ctx, room)
		if err != nil || len(left) != domain.MaxSlashCommands-1 {
			t.Errorf("%d are left: %v", len(left), err)
		}
		if err := db.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

// An address for answers is good for a time and a number of uses, as long as the command is on and whoever wrote it is
// in the room. Who made the command and leaves, switches it off; who is banned, ends it.
func TestASlashCommandIsAnsweredLaterForAWhile(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.UnixMilli(time.Now().UnixMilli())
		room, ann, bob, cat := testkit.Room(t, db, 3), testkit.UserID(0), testkit.UserID(1), testkit.UserID(2)
		if _, err := db.Rooms.SetRole(ctx, ann, room, bob, domain.Admin, now); err != nil {
			t.Fatal(err)
		}
		c, err := createSlash(t, db, room, bob, "deploy")
		if err != nil {
			t.Fatal(err)
		}
		root := testkit.Say(t, db, ann, room, "root", "what now?").Seq
		for _, none := range []int64{root + 1, 1} { // nothing, and no message
			if _, err := db.Slash.BeginRun(ctx, domain.SlashRun{Command: c, Room: room, User: domain.UserRef{ID: ann},
				Thread: none}, []byte("none"), now); domain.KindOf(err) != domain.Invalid {
				t.Errorf("in the thread of %d: %v", none, err)
			}
		}
		begin := func(secret, user string, at time.Time) {
			t.Helper()
			r, err := db.Slash.BeginRun(ctx, domain.SlashRun{Command: c, Room: room, User: domain.UserRef{ID: user},
				Thread: root}, []byte(secret), at)
			if err != nil || r.User.Username == "" || r.RoomName == "" {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		takes := func(secret string, at time.Time, want bool) {
			t.Helper()
			r, err := db.Slash.TakeRun(ctx, []byte(secret), at)
			if want && (err != nil || r.Command.ID != c.ID || r.Thread != root || r.User.ID == "") {
				t.Errorf("%s: %+v, %v", secret, r, err)
			}
			if !want && domain.CodeOf(err) != domain.CodeNoHook {
				t.Errorf("%s may still be answered: %v", secret, err)
			}
		}
		begin("ann's", ann, now)
		for range domain.SlashReplyUses {
			takes("ann's", now.Add(domain.SlashReplyKept-1), true)
		}
		takes("ann's", now, false)
		takes("nobody's", now, false)
		begin("late", ann, now)
		takes("late", now.Add(domain.SlashReplyKept), false)
		begin("next", ann, now.Add(domain.SlashReplyKept)) // forgets the others
		takes("late", now, false)
		begin("cat's", cat, now)
		takes("cat's", now, true)
		disable := func(yes bool) {
			t.Helper()
			if _, err := db.Accounts.SetUserDisabled(ctx, cat, yes, now); err != nil {
				t.Fatal(err)
			}
		}
		disable(true)
		takes("cat's", now, false)
		disable(false)
		takes("cat's", now, true)
		if _, err := db.Departure.Kick(ctx, ann, room, cat, "", now); err != nil {
			t.Fatal(err)
		}
		takes("cat's", now, false)
		if _, err := db.Departure.Leave(ctx, bob, room, now); err != nil {
			t.Fatal(err)
		}
		takes("next", now, false)
		if c, err = db.Slash.SlashCommand(ctx, room, c.ID); err != nil || c.Off != domain.HookOffLeft {
			t.Fatalf("%+v, %v", c, err)
		}
		on := true
		c, err = db.Slash.ChangeSlash(ctx, ann, room, c.ID, hint("x"), &on, now)
		if err != nil || c.Off != "" || c.CreatedBy.ID != ann {
			t.Errorf("%+v, %v", c, err)
		}
		takes("next", now, true)
		if _, err := db.Slash.RemoveSlash(ctx, ann, room, c.ID, now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Slash.BeginRun(ctx, domain.SlashRun{Command: c, Room: room, User: domain.UserRef{ID: ann}},
			[]byte("x"), now); domain.CodeOf(err) != domain.CodeNoSlash {
			t.Errorf("of one that was removed: %v", err)
		}
		takes("next", now, false)
		if err := db.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

// hint is a change of a slash command.
func hint(s string) func(*domain.SlashCommand) error {
	return func(c *domain.SlashCommand) error { c.Hint = s; return nil }
}

// What an admin changes of a slash command takes back nothing that another has changed. Whoever gives it another
// address stands for it.
func TestAChangeOfASlashCommandIsOfWhatItIsThen(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.UnixMilli(time.Now().UnixMilli())
		room, ann, bob := testkit.Room(t, db, 2), testkit.UserID(0), testkit.UserID(1)
		if _, err := db.Rooms.SetRole(ctx, ann, room, bob, domain.Admin, now); err != nil {
			t.Fatal(err)
		}
		c, err := createSlash(t, db, room, ann, "deploy")
		if err != nil {
			t.Fatal(err)
		}
		address := func(c *domain.SlashCommand) error { c.URL = "https://example.com/"; return nil }
		if c, err = db.Slash.ChangeSlash(ctx, bob, room, c.ID, hint("WHAT"), nil, now); err != nil || c.CreatedBy.ID != ann {
			t.Errorf("%+v, %v", c, err)
		}
		c, err = db.Slash.ChangeSlash(ctx, bob, room, c.ID, address, nil, now)
		if err != nil || c.Hint != "WHAT" || c.URL != "https://example.com/" || c.CreatedBy.ID != bob {
			t.Errorf("%+v, %v", c, err)
		}
		refuse := func(*domain.SlashCommand) error { return domain.InvalidField("/url", "no") }
		if _, err := db.Slash.ChangeSlash(ctx, bob, room, c.ID, refuse, nil, now); domain.KindOf(err) != domain.Invalid {
			t.Error(err)
		}
	})
}
