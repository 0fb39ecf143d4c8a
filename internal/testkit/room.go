package testkit

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
)

// Room makes users 0..n-1, and a room of the first that all of them are in.
func Room(tb testing.TB, db *all.Store, users int) string {
	tb.Helper()
	n := domain.NewRoom{Kind: domain.PublicRoom, Name: "Lobby"}
	for i := range users {
		u := domain.User{ID: UserID(i), Kind: domain.KindUser, Role: domain.SystemUser, Username: fmt.Sprintf("user%d", i),
			DisplayName: fmt.Sprintf("User %d", i)}
		if err := db.Accounts.CreateUser(tb.Context(), u, "", domain.Signup{}, time.Now()); err != nil {
			tb.Fatal(err)
		}
		if i > 0 {
			n.Members = append(n.Members, u.ID)
		}
	}
	s, _, err := db.Rooms.CreateRoom(tb.Context(), UserID(0), n, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return s.Room.ID
}

// UserID is the id of a user that Room made.
func UserID(i int) string { return fmt.Sprintf("usr_%026d", i) }

// Say has a user write in a room.
func Say(tb testing.TB, db *all.Store, user, room, key, text string) domain.Event {
	tb.Helper()
	e, _, err := db.Messages.AppendMessage(tb.Context(), user, domain.Draft{Room: room, Key: key, Text: text}, nil, false,
		time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// Bot makes a bot of a user, and returns its id.
func Bot(tb testing.TB, db *all.Store, owner, name string) string {
	tb.Helper()
	id := domain.NewID(domain.UserPrefix)
	b := domain.Bot{User: domain.UserRef{ID: id, Username: name, DisplayName: name}, Owner: owner}
	k := domain.BotToken{ID: domain.NewID(domain.BotTokenPrefix), Bot: id, Read: true, Write: true}
	if err := db.Bots.CreateBot(tb.Context(), b, k, []byte(k.ID), time.Now()); err != nil {
		tb.Fatal(err)
	}
	return id
}
