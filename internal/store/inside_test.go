package store

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// openLog opens a fresh SQLite database with users in it, and a room of the
// first that all of them are in. Tests that need no inside of this package are
// in package store_test, and run on both databases.
func openLog(tb testing.TB, users int) (*DB, []string, string) {
	tb.Helper()
	db, err := Open(tb.Context(), Options{Path: filepath.Join(tb.TempDir(), "test.db")})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	n := domain.NewRoom{Kind: domain.PublicRoom, Name: "Lobby"}
	for i := range users {
		u := domain.User{ID: userID(i), Kind: domain.KindUser, Role: domain.SystemUser, Username: fmt.Sprintf("user%d", i), DisplayName: "User"}
		if err := db.CreateUser(tb.Context(), u, "", domain.Signup{}, time.Now()); err != nil {
			tb.Fatal(err)
		}
		if i > 0 {
			n.Members = append(n.Members, u.ID)
		}
	}
	s, _, err := db.CreateRoom(tb.Context(), userID(0), n, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return db, nil, s.Room.ID
}

// A caller that gives up finds nothing still writing to what it had passed in:
// the race detector watches.
func TestGivingUp(t *testing.T) {
	db, _, _ := openLog(t, 1)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
			defer cancel()
			result := 0
			err := db.write(ctx, func(context.Context, *tx) error {
				result++
				return nil
			})
			if (err == nil) != (result == 1) {
				t.Errorf("result %d with %v", result, err)
			}
		})
	}
	wg.Wait()
}

func userID(i int) string { return fmt.Sprintf("usr_%026d", i) }

func say(tb testing.TB, db *DB, user, room, key, text string) domain.Event {
	tb.Helper()
	e, _, err := db.AppendMessage(tb.Context(), user, domain.Draft{Room: room, Key: key, Text: text}, nil, false, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return e
}
