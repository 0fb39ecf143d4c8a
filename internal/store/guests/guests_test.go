package guests_test

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A guest whose address is to be proven comes into the rooms of their invitation afterwards: into those whose inviter
// may still add people, and no more if the invitation was ended. They find people of their rooms alone.
func TestGuestsComeIntoTheirRooms(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		lobby := testkit.Room(t, db, 3)
		ann := testkit.UserID(0)
		den, _, err := db.Rooms.CreateRoom(ctx, ann, domain.NewRoom{Kind: domain.PrivateRoom, Name: "Den"}, now)
		must(t, err)
		gone, _, err := db.Rooms.CreateRoom(ctx, ann, domain.NewRoom{Kind: domain.PrivateRoom, Name: "Gone"}, now)
		must(t, err)
		invite := domain.SignupInvite{ID: domain.NewID(domain.SignupPrefix), CreatedBy: ann, CreatedAt: now,
			Expires: now.Add(time.Hour), MaxUses: 3, GuestDays: 7, Rooms: []string{gone.Room.ID, den.Room.ID}}
		must(t, db.Accounts.CreateSignupInvite(ctx, invite, []byte("code")))
		_, err = db.Rooms.DeleteRoom(ctx, ann, gone.Room.ID, now)
		must(t, err)
		register := func(name string) domain.User {
			t.Helper()
			u := domain.User{ID: domain.NewID(domain.UserPrefix), Kind: domain.KindUser, Role: domain.SystemUser, Username: name,
				DisplayName: name, Email: name + "@example.org", Pending: true}
			u, err := db.Guests.Register(ctx, u, "", domain.Signup{Invite: []byte("code")}, now)
			must(t, err)
			if u.Role != domain.SystemGuest || !u.GuestUntil.Equal(now.AddDate(0, 0, 7).Truncate(time.Millisecond)) {
				t.Errorf("%s is %+v", name, u)
			}
			must(t, db.Accounts.CreateTicket(ctx, []byte(name), domain.Ticket{Kind: domain.VerifyTicket, User: u.ID,
				Data: u.Email, Expires: now.Add(time.Hour)}, now))
			return u
		}
		rooms := func(user string) (ids []string) {
			t.Helper()
			states, err := db.Rooms.RoomStates(ctx, user)
			must(t, err)
			for _, s := range states {
				ids = append(ids, s.Room.ID)
			}
			return ids
		}
		gus, late := register("gus"), register("late")
		if in := rooms(gus.ID); len(in) != 0 {
			t.Errorf("before the address is proven: %v", in)
		}
		_, err = db.Guests.VerifyEmail(ctx, []byte("gus"), now)
		must(t, err)
		if in := rooms(gus.ID); !slices.Equal(in, []string{den.Room.ID}) {
			t.Errorf("gus is in %v", in)
		}
		must(t, db.Accounts.DeleteSignupInvite(ctx, invite.ID))
		_, err = db.Guests.VerifyEmail(ctx, []byte("late"), now)
		must(t, err)
		if in := rooms(late.ID); len(in) != 0 {
			t.Errorf("by an invitation that was ended: %v", in)
		}

		state, err := db.Rooms.RoomState(ctx, ann, den.Room.ID)
		must(t, err)
		found, err := db.Accounts.SearchUsers(ctx, "", gus.ID, "", 10)
		must(t, err)
		if state.Guests != 1 || len(found) != 2 {
			t.Errorf("%d guests in the room, and the guest finds %+v", state.Guests, found)
		}
		if _, err := db.Rooms.Block(ctx, gus.ID, testkit.UserID(1)); domain.CodeOf(err) != domain.CodeNoUser {
			t.Errorf("blocking a stranger, to read their name: %v", err)
		}
		if _, err := db.Rooms.Block(ctx, gus.ID, ann); err != nil {
			t.Errorf("blocking somebody of the room: %v", err)
		}
		if r, m, err := db.Rooms.RoomAndMember(ctx, lobby, gus.ID); err != nil ||
			domain.CodeOf(domain.Allow(r, m, domain.JoinRoom, now)) != domain.CodeNoRoom {
			t.Errorf("a public room: %+v, %v", m, err)
		}
		if _, err := db.Rooms.Join(ctx, gus.ID, lobby, now); domain.CodeOf(err) != domain.CodeNoRoom {
			t.Errorf("joining it: %v", err)
		}
		if _, err := db.Rooms.AddMember(ctx, gus.ID, den.Room.ID, testkit.UserID(1), now); domain.CodeOf(err) !=
			domain.CodeNotForGuests {
			t.Errorf("adding somebody: %v", err)
		}
		if _, _, err := db.Rooms.CreateRoom(ctx, gus.ID, domain.NewRoom{Kind: domain.PublicRoom, Name: "Mine"},
			now); domain.CodeOf(err) != domain.CodeNotForGuests {
			t.Errorf("making a room: %v", err)
		}
	})
}

// The access of a guest ends once, and not if it was extended meanwhile; and no session begins after it.
func TestTheAccessOfGuestsEnds(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now().Truncate(time.Millisecond)
		gus := domain.User{ID: domain.NewID(domain.UserPrefix), Kind: domain.KindUser, Role: domain.SystemUser,
			Username: "gus", DisplayName: "Gus"}
		must(t, db.Accounts.CreateUser(ctx, gus, "", domain.Signup{}, now))
		until := now.Add(time.Hour)
		u, err := db.Guests.SetGuest(ctx, gus.ID, until, now)
		must(t, err)
		if u.Role != domain.SystemGuest || !u.GuestUntil.Equal(until) || u.Epoch != 1 {
			t.Errorf("the guest is %+v", u)
		}
		due := func(at time.Time) int {
			t.Helper()
			found, err := db.Accounts.DueGuests(ctx, at)
			must(t, err)
			return len(found)
		}
		end := func(at time.Time, want bool) {
			t.Helper()
			if _, done, err := db.Accounts.EndGuest(ctx, gus.ID, at); err != nil || done != want {
				t.Errorf("ended: %v, %v", done, err)
			}
		}
		if due(until.Add(-time.Millisecond)) != 0 || due(until) != 1 {
			t.Error("due at another time")
		}
		end(until.Add(-time.Millisecond), false)
		end(until, true)
		end(until, false)
		if due(until) != 0 {
			t.Error("due twice")
		}
		u, err = db.Guests.SetGuest(ctx, gus.ID, until.Add(time.Hour), until)
		if err != nil || u.Disabled {
			t.Errorf("extended: %+v, %v", u, err)
		}
		u, err = db.Accounts.SetUserDisabled(ctx, gus.ID, true, now)
		must(t, err)
		if u, err = db.Guests.SetGuest(ctx, gus.ID, until.Add(2*time.Hour), until); err != nil || !u.Disabled {
			t.Errorf("extending does not let in whom an administrator keeps out: %+v, %v", u, err)
		}
		if u, err = db.Accounts.SetUserRole(ctx, gus.ID, domain.SystemUser); err != nil || !u.GuestUntil.IsZero() {
			t.Errorf("a regular user is %+v, %v", u, err)
		}
	})
}
