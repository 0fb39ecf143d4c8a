package personal_test

import (
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// Sections are kept as they were arranged, for one person, without rooms in which that person is not. They go with the
// account.
func TestSections(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 3)
		user, another := testkit.UserID(1), testkit.UserID(2)
		made, _, err := db.Rooms.CreateRoom(ctx, testkit.UserID(0), domain.NewRoom{Kind: domain.PrivateRoom, Name: "Tea",
			Members: []string{user, another}}, now)
		if err != nil {
			t.Fatal(err)
		}
		other := made.Room.ID
		nowhere := domain.NewID(domain.RoomPrefix)
		wanted := domain.RoomSections{Favourites: domain.RoomSection{Rooms: []string{room, nowhere}},
			Sections: []domain.RoomSection{
				{Name: "Work", Closed: true, Rooms: []string{nowhere, other}}, {Name: "Home", Rooms: []string{}}}}
		kept, err := db.Personal.PutSections(ctx, user, wanted, 0, now)
		if err != nil {
			t.Fatal(err)
		}
		is := func(what string, favourites, work []string) {
			t.Helper()
			got, err := db.Personal.Sections(ctx, user)
			want := domain.RoomSections{Version: kept.Version, Favourites: domain.RoomSection{Rooms: favourites},
				Sections: []domain.RoomSection{{Name: "Work", Closed: true, Rooms: work}, {Name: "Home", Rooms: []string{}}}}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v, %v, not %+v", what, got, err, want)
			}
		}
		is("arranged", []string{room}, []string{other})
		if wanted.Favourites.Rooms[1] != nowhere {
			t.Error("what was given has changed")
		}
		if got, err := db.Personal.Sections(ctx, another); err != nil || !reflect.DeepEqual(got, domain.RoomSections{}) {
			t.Errorf("another person has %+v, %v", got, err)
		}
		if _, err := db.Departure.Leave(ctx, user, other, now); err != nil {
			t.Fatal(err)
		}
		is("after leaving", []string{room}, []string{})
		var text string
		err = db.QueryRowContext(ctx, `SELECT sections FROM room_sections`).Scan(&text)
		if err != nil || strings.Contains(text, other) {
			t.Errorf("stored is %s, %v", text, err)
		}
		if err := db.Departure.DeleteUser(ctx, user, now); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db, "room_sections"); n != 0 {
			t.Errorf("%d rows are left of an account that is deleted", n)
		}
	})
}

// Of two devices that arrange the same version, one is told so.
func TestSectionsOfTwoDevices(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 2)
		user := testkit.UserID(1)
		named := func(name string) domain.RoomSections {
			return domain.RoomSections{Sections: []domain.RoomSection{{Name: name, Rooms: []string{}}}}
		}
		first, err := db.Personal.PutSections(ctx, user, named("first"), 0, now)
		if err != nil {
			t.Fatal(err)
		}
		errs, kept := make([]error, 8), make([]domain.RoomSections, 8)
		var wait sync.WaitGroup
		for i := range errs {
			wait.Go(func() { kept[i], errs[i] = db.Personal.PutSections(ctx, user, named("x"), first.Version, now) })
		}
		wait.Wait()
		var done []domain.RoomSections
		for i, err := range errs {
			if err == nil {
				done = append(done, kept[i])
			} else if domain.CodeOf(err) != domain.CodeSectionsChanged {
				t.Error(err)
			}
		}
		if len(done) != 1 || done[0].Version <= first.Version {
			t.Errorf("%d of 8 have replaced version %d: %+v", len(done), first.Version, done)
		}
		last, err := db.Personal.PutSections(ctx, user, named("last"), 0, now.Add(-time.Hour))
		if err != nil || len(done) == 1 && last.Version <= done[0].Version {
			t.Errorf("replaced without a version as %d, after %+v: %v", last.Version, done, err)
		}
	})
}
