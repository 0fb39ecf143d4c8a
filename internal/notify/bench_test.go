//go:build unix

package notify

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// BenchmarkDecide decides who of the 50 members of a room, all of whom get pushes and have three keywords, is told of
// a message: by the rules alone, and with the store, where it reads what the members have chosen, and stores who is
// told. Of messages that name nobody, nobody is told; one that names the room is for all.
func BenchmarkDecide(b *testing.B) {
	const members = 50
	db, err := all.Open(b.Context(), store.Options{Path: filepath.Join(b.TempDir(), "bench.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	room := testkit.Room(b, db, members)
	now := time.Now()
	for i := range members {
		subscribe(b, db, testkit.UserID(i), now)
	}
	s := New(Deps{Store: db.Notifications, Log: slog.New(slog.DiscardHandler)})
	about := func(seq int, everybody bool) domain.Event {
		return domain.Event{Room: room, Seq: int64(seq), Type: domain.MessageCreated, At: now,
			Actor: domain.UserRef{ID: testkit.UserID(0)}, Message: &domain.Message{Room: room, Seq: int64(seq), At: now,
				Sender: domain.UserRef{ID: testkit.UserID(0)}, MentionsRoom: everybody,
				Text: "some twenty words or so, as people write them when they talk about the weather in the room"}}
	}
	to, err := db.Notifications.Recipients(b.Context(), room, nil, now)
	if err != nil || len(to) != members {
		b.Fatal(len(to), err)
	}
	b.Run("rules", func(b *testing.B) {
		e, _ := toldOf(about(1, false))
		testkit.Cost(b, "decisions", members, func(int) {
			if all, err := s.recipients(b.Context(), e, to); err != nil || len(all) != 0 {
				b.Fatal(len(all), err)
			}
		})
	})
	for seq, everybody := 0, false; ; everybody = true {
		name := map[bool]string{false: "for nobody", true: "for everybody"}[everybody]
		b.Run(name, func(b *testing.B) {
			testkit.Cost(b, "decisions", 20*members, func(int) {
				page := make([]feed.Entry[domain.Event], 20)
				for i := range page {
					seq++
					page[i].Value = about(seq, everybody)
				}
				if err := s.handle(b.Context(), page); err != nil {
					b.Fatal(err)
				}
			})
		})
		if everybody {
			break
		}
	}
	if n, err := db.Notifications.Waiting(b.Context()); err != nil || n != members-1 {
		b.Fatalf("%d pushes wait: %v", n, err)
	}
}

// subscribe gives a user a session with a subscription, and keywords.
func subscribe(b *testing.B, db *all.Store, user string, now time.Time) {
	b.Helper()
	session := domain.NewID(domain.SessionPrefix)
	err := db.Sessions.BeginSession(b.Context(), domain.Session{ID: session, User: user, CreatedAt: now,
		Idle: now.Add(time.Hour), Expires: now.Add(time.Hour), AuthTime: now}, 0, []byte(session), domain.Proof{})
	if err == nil {
		_, err = db.Notifications.Subscribe(b.Context(), domain.Subscription{ID: domain.NewID(domain.PushPrefix),
			User: user, Session: session, Endpoint: fmt.Sprint("https://push.example.org/", user), Key: make([]byte, 65),
			Auth: make([]byte, 16), CreatedAt: now})
	}
	if err == nil {
		err = db.Notifications.PutSettings(b.Context(), user, domain.NotifySettings{
			Keywords: []string{"greenhouse", "water pump", "tomatoes"}})
	}
	if err != nil {
		b.Fatal(err)
	}
}
