package hooks_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func createServer(
	t *testing.T, db *all.Store, actor, name string, kind domain.RoomKind, guests bool,
) (domain.SlashCommand, error) {
	t.Helper()
	return db.Slash.CreateServerCommand(t.Context(), actor, domain.SlashCommand{ID: domain.NewID(domain.SlashPrefix),
		Name: name, Description: "Says who", URL: "https://example.org/", Kind: kind, Guests: guests}, time.Now())
}

func makeAdmin(t *testing.T, db *all.Store, user string) {
	t.Helper()
	if _, err := db.Accounts.SetUserRole(t.Context(), user, domain.SystemAdmin); err != nil {
		t.Fatal(err)
	}
}

// Rooms of the kind that a command of the server is for have it, guests if it is for them, and a room's own command of
// that name comes first.
func TestACommandOfTheServerIsInTheRoomsThatItIsFor(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now, ann, bob := t.Context(), time.Now(), testkit.UserID(0), testkit.UserID(1)
		room := testkit.Room(t, db, 2)
		makeAdmin(t, db, ann)
		var ids []string
		for _, n := range []domain.NewRoom{{Kind: domain.PublicRoom, Name: "Open"},
			{Kind: domain.PrivateRoom, Name: "Closed"}, {Kind: domain.DirectRoom, Members: []string{bob}}} {
			st, _, err := db.Rooms.CreateRoom(ctx, ann, n, now)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, st.Room.ID)
		}
		for _, c := range []struct {
			name   string
			kind   domain.RoomKind
			guests bool
		}{{"everywhere", "", true}, {"open", domain.PublicRoom, false}, {"closed", domain.PrivateRoom, false}} {
			if _, err := createServer(t, db, ann, c.name, c.kind, c.guests); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := createServer(t, db, ann, "open", "", false); domain.CodeOf(err) != domain.CodeSlashExists {
			t.Errorf("another one of its name: %v", err)
		}
		for _, id := range ids {
			r, err := db.Rooms.RoomState(ctx, ann, id)
			if err != nil {
				t.Fatal(err)
			}
			for name, in := range map[string]bool{"everywhere": r.Room.Kind != domain.DirectRoom,
				"open": r.Room.Kind == domain.PublicRoom, "closed": r.Room.Kind == domain.PrivateRoom} {
				c, err := db.Slash.SlashNamed(ctx, id, name, false)
				if in != (err == nil) || err == nil && (!c.OfServer() || c.Name != name) {
					t.Errorf("/%s in a %s room: %+v, %v", name, r.Room.Kind, c, err)
				}
				_, err = db.Slash.SlashNamed(ctx, id, name, true)
				if forGuest := in && name == "everywhere"; forGuest != (err == nil) {
					t.Errorf("/%s for a guest in a %s room: %v", name, r.Room.Kind, err)
				}
			}
		}
		own, err := createSlash(t, db, room, ann, "everywhere")
		if err != nil {
			t.Fatal(err)
		}
		if c, err := db.Slash.SlashNamed(ctx, room, "everywhere", false); err != nil || c.ID != own.ID {
			t.Errorf("the room's own one does not come first: %+v, %v", c, err)
		}
		for i := range domain.MaxServerSlash - 3 {
			if _, err := createServer(t, db, ann, fmt.Sprint("c", i), "", false); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := createServer(t, db, ann, "more", "", false); domain.CodeOf(err) != domain.CodeTooManyHooks {
			t.Errorf("one too many: %v", err)
		}
		if err := db.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

// Who stands for a command of the server is an administrator; without them it asks nobody, and another one takes over
// by switching it on.
func TestACommandOfTheServerEndsWithItsAdministrator(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now, ann, bob, cat := t.Context(), time.Now(), testkit.UserID(0), testkit.UserID(1), testkit.UserID(2)
		room := testkit.Room(t, db, 3)
		makeAdmin(t, db, ann)
		makeAdmin(t, db, bob)
		c, err := createServer(t, db, bob, "oncall", "", false)
		if err != nil || c.Off != "" {
			t.Fatalf("%+v, %v", c, err)
		}
		run := domain.SlashRun{Command: c, Room: room, User: domain.UserRef{ID: cat}}
		if run, err = db.Slash.BeginRun(ctx, run, []byte("secret"), now); err != nil || run.RoomName == "" {
			t.Fatalf("%+v, %v", run, err)
		}
		takes := func(want bool) {
			t.Helper()
			r, err := db.Slash.TakeRun(ctx, []byte("secret"), now)
			if want && (err != nil || r.Room != room || !r.Command.OfServer() || r.User.ID != cat) ||
				!want && domain.CodeOf(err) != domain.CodeNoHook {
				t.Errorf("%+v, %v", r, err)
			}
		}
		takes(true)
		if _, err := db.Accounts.SetUserRole(ctx, bob, domain.SystemUser); err != nil {
			t.Fatal(err)
		}
		if c, err = db.Slash.ServerCommand(ctx, "oncall"); err != nil || c.Off != domain.HookOffLeft {
			t.Errorf("of somebody who administers no more: %+v, %v", c, err)
		}
		takes(false)
		on := true
		if c, err = db.Slash.ChangeServerCommand(ctx, ann, c.ID, hint("TEAM"), &on); err != nil || c.Off != "" ||
			c.CreatedBy.ID != ann || c.Hint != "TEAM" {
			t.Errorf("switched on by another one: %+v, %v", c, err)
		}
		takes(true)
		if err := db.Slash.NoteSlash(ctx, c, "it is away", now); err != nil {
			t.Fatal(err)
		}
		if c, err = db.Slash.RotateServerCommand(ctx, c.ID, now); err != nil || c.Generation != 2 ||
			c.Failure != "it is away" {
			t.Errorf("rotated: %+v, %v", c, err)
		}
		off := false
		if c, err = db.Slash.ChangeServerCommand(ctx, ann, c.ID, hint(""), &off); err != nil ||
			c.Off != domain.HookOffByAdmin {
			t.Errorf("off: %+v, %v", c, err)
		}
		takes(false)
	})
}

// A command of the server becomes a member of a room when it answers there, unless it is banned. It goes when it is
// removed, and when the last person goes.
func TestACommandOfTheServerComesIntoRoomsToAnswer(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now, ann, bob := t.Context(), time.Now(), testkit.UserID(0), testkit.UserID(1)
		room := testkit.Room(t, db, 2)
		st, _, err := db.Rooms.CreateRoom(ctx, bob, domain.NewRoom{Kind: domain.PrivateRoom, Name: "Alone"}, now)
		if err != nil {
			t.Fatal(err)
		}
		makeAdmin(t, db, ann)
		c, err := createServer(t, db, ann, "oncall", "", false)
		if err != nil {
			t.Fatal(err)
		}
		in := func(room string) bool {
			t.Helper()
			found, err := db.Rooms.Members(ctx, room, "", "", 100)
			if err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(found, func(m domain.Member) bool { return m.User.ID == c.ID })
		}
		admit := func(room, user string) error {
			return db.Slash.Admit(ctx, domain.SlashRun{Command: c, Room: room, User: domain.UserRef{ID: user}}, now)
		}
		if err := admit(st.Room.ID, ann); err == nil || in(st.Room.ID) {
			t.Errorf("somebody who is not in the room brings it there: %v", err)
		}
		for range 2 {
			if err := admit(room, bob); err != nil || !in(room) {
				t.Fatalf("it is not in the room: %v", err)
			}
		}
		if err := admit(st.Room.ID, bob); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Departure.Leave(ctx, bob, st.Room.ID, now); err != nil {
			t.Errorf("the owner cannot leave a room in which only the command would stay: %v", err)
		}
		if _, err := db.Departure.Ban(ctx, ann, room, c.ID, "", now); err != nil || in(room) {
			t.Fatal(err)
		}
		if err := admit(room, bob); domain.CodeOf(err) != domain.CodeBanned {
			t.Errorf("banned, it comes again: %v", err)
		}
		if _, err := db.Rooms.Unban(ctx, ann, room, c.ID, now); err != nil {
			t.Fatal(err)
		}
		if err := admit(room, bob); err != nil {
			t.Fatal(err)
		}
		said := testkit.Say(t, db, c.ID, room, "1", "Cat is on call")
		if err := db.Slash.RemoveServerCommand(ctx, c.ID, now); err != nil || in(room) {
			t.Errorf("removed, it is still there: %v", err)
		}
		if err := admit(room, bob); domain.CodeOf(err) != domain.CodeNoSlash {
			t.Errorf("removed, it comes again: %v", err)
		}
		if e, ok, err := db.OutHooks.Event(ctx, room, said.Seq); err != nil || !ok || e.Actor.DisplayName != "/oncall" {
			t.Errorf("what it wrote is %+v, %v", e, err)
		}
		if err := db.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

// A command of the server ends with the account of the administrator who stands for it, and whoever gives it another
// address stands for it from then on. While it is off it comes into no room.
func TestWhoStandsForACommandOfTheServer(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now, ann, bob := t.Context(), time.Now(), testkit.UserID(0), testkit.UserID(1)
		room := testkit.Room(t, db, 2)
		makeAdmin(t, db, ann)
		makeAdmin(t, db, bob)
		c, err := createServer(t, db, bob, "oncall", "", false)
		if err != nil {
			t.Fatal(err)
		}
		disable := func(disabled bool) {
			t.Helper()
			if _, err := db.Accounts.SetUserDisabled(ctx, bob, disabled, now); err != nil {
				t.Fatal(err)
			}
		}
		disable(true)
		if c, err := db.Slash.ServerCommand(ctx, "oncall"); err != nil || c.Off != domain.HookOffLeft {
			t.Errorf("of somebody who is disabled: %+v, %v", c, err)
		}
		run := domain.SlashRun{Command: c, Room: room, User: domain.UserRef{ID: ann}}
		if err := db.Slash.Admit(ctx, run, now); domain.CodeOf(err) != domain.CodeNoSlash {
			t.Errorf("it comes into a room: %v", err)
		}
		if st, err := db.Rooms.RoomState(ctx, ann, room); err != nil || st.Room.Members != 2 {
			t.Errorf("in the room are %d, %v", st.Room.Members, err)
		}
		disable(false)
		if c, err = db.Slash.ChangeServerCommand(ctx, ann, c.ID, hint("TEAM"), nil); err != nil || c.CreatedBy.ID != bob {
			t.Errorf("with another hint: %+v, %v", c, err)
		}
		c, err = db.Slash.ChangeServerCommand(ctx, ann, c.ID, func(c *domain.SlashCommand) error {
			c.URL = "https://example.com/"
			return nil
		}, nil)
		if err != nil || c.CreatedBy.ID != ann || c.URL != "https://example.com/" {
			t.Errorf("with another address: %+v, %v", c, err)
		}
		if err := db.Slash.Admit(ctx, run, now); err != nil {
			t.Errorf("once it is on: %v", err)
		}
	})
}
