package rooms_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
)

// So many requests wait for somebody, and so many of one person. One more is refused, and those that wait stay. A
// declined one still counts as that person's, and waits no more.
func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t)) // the bounds are no matter of the database
	ctx, now := t.Context(), time.Now()
	const askers = domain.MaxRequests/domain.MaxRequestsByUser + 1
	testkit.Room(t, db, askers+1)
	ann := testkit.UserID(askers)
	if err := db.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		tx.Invalidate()
		_, err := tx.ExecContext(ctx, `UPDATE users SET asked_by = 'everyone' WHERE id = $1`, ann)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	n, rooms := 0, make(map[int][]string)
	ask := func(by int) error {
		t.Helper()
		n++
		s, _, err := db.Rooms.CreateRoom(ctx, testkit.UserID(by), domain.NewRoom{Kind: domain.PrivateRoom,
			Name: fmt.Sprint("Room ", n)}, now)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.Rooms.AddMember(ctx, testkit.UserID(by), s.Room.ID, ann, now)
		if err == nil {
			rooms[by] = append(rooms[by], s.Room.ID)
		}
		return err
	}
	refused := func(by int, want domain.Code, waiting int) {
		t.Helper()
		if err := ask(by); domain.CodeOf(err) != want {
			t.Errorf("request %d of user %d: %v", len(rooms[by])+1, by, err)
		}
		if g, err := db.Rooms.Greeting(ctx, ann); err != nil || g.Requests != waiting {
			t.Errorf("%d requests wait, not %d: %v", g.Requests, waiting, err)
		}
	}
	for by := range askers - 1 {
		for range domain.MaxRequestsByUser {
			if err := ask(by); err != nil {
				t.Fatalf("request %d: %v", n, err)
			}
		}
		refused(by, domain.CodeAlreadyAsked, (by+1)*domain.MaxRequestsByUser)
	}
	refused(askers-1, domain.CodeTooManyRequests, domain.MaxRequests)
	if _, err := db.Rooms.DeclineRequest(ctx, ann, rooms[0][0], false); err != nil {
		t.Fatal(err)
	}
	refused(0, domain.CodeAlreadyAsked, domain.MaxRequests-1)
	if err := ask(askers - 1); err != nil {
		t.Errorf("once one was declined: %v", err)
	}
}
