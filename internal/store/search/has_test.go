package search_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/embed"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// upload makes a file of a user that can be posted, and returns its id.
func upload(t *testing.T, db *all.Store, owner, room string) string {
	t.Helper()
	ctx, now, hash := t.Context(), time.Now(), strings.Repeat("a", 64)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := domain.File{ID: domain.NewID(domain.FilePrefix), Owner: owner, Room: room, Name: "plan.txt", Size: 3,
		State: domain.FileUploading, Expires: now.Add(domain.UnattachedLife)}
	must(db.Files.Create(ctx, f, 0, now))
	_, err := db.Blobs.AddBlob(ctx, domain.Blob{Hash: hash, Size: 3, Type: "text/plain", Object: f.ID}, now)
	must(err)
	must(db.Files.AddPart(ctx, f.ID, owner, domain.FilePiece{Size: 3, Hash: hash}, nil, now))
	f.Type, f.State = "text/plain", domain.FileReady
	_, err = db.Files.Complete(ctx, f, nil, now)
	must(err)
	return f.ID
}

// has: finds what messages have, alone and with words, in one's own rooms only, and follows what is changed.
func TestSearchFindsWhatMessagesHave(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now, me := t.Context(), time.Now(), testkit.UserID(0)
		room := testkit.Room(t, db, 3)
		secret, _, err := db.Rooms.CreateRoom(ctx, testkit.UserID(1),
			domain.NewRoom{Kind: domain.PrivateRoom, Name: "Secret"},
			now)
		if err != nil {
			t.Fatal(err)
		}
		say := func(user int, d domain.Draft, names ...string) domain.Event {
			t.Helper()
			d.Key = domain.NewID("k")
			e, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(user), d, names, false, now)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		say(0, domain.Draft{Room: room, Text: "tea without anything"})
		plan := say(0, domain.Draft{Room: room, Text: "tea plan", Files: []string{upload(t, db, me, room)}})
		bare := say(1, domain.Draft{Room: room, Files: []string{upload(t, db, testkit.UserID(1), room)}})
		say(1, domain.Draft{Room: secret.Room.ID, Text: "tea",
			Files: []string{upload(t, db, testkit.UserID(1), secret.Room.ID)}})
		p, err := domain.CheckPoll(domain.Poll{Question: "tea?",
			Choices: []domain.PollChoice{{Text: "yes"}, {Text: "no"}}}, now)
		if err != nil {
			t.Fatal(err)
		}
		say(1, domain.Draft{Room: room, Text: p.Text(), ContentType: domain.ContentPoll, Poll: &p})
		pinned := say(1, domain.Draft{Room: room, Text: "user0, the tea rules: https://example.org"}, "user0")
		for _, at := range []struct {
			user, room string
			seq        int64
		}{{me, room, pinned.Seq}, {me, room, plan.Seq}} {
			if _, err := db.Messages.Pin(ctx, at.user, at.room, at.seq, now); err != nil {
				t.Fatal(err)
			}
		}
		want := func(q string, n int) {
			t.Helper()
			for _, order := range []domain.SearchOrder{domain.Newest, domain.Relevance} {
				found(t, db, me, q, order, n)
			}
		}
		for q, n := range map[string]int{
			"has:file": 2, "HAS:File": 2, "tea has:file": 1, "has:file from:user1": 1, "has:file -tea": 1, "has:poll": 1,
			"tea has:poll": 1, "has:poll from:me": 0, "has:pin": 2, "tea has:pin": 2, "rules has:pin": 1, "has:pin -rules": 1,
			"has:pin has:file": 1, "has:pin has:link": 1, "has:pin has:poll": 0, "has:pin mentions:me": 1,
			"has:file mentions:me": 0, "has:pin from:user1": 1, "has:pin in:lobby": 2,
			"has:file before:2001-01-01": 0, "has:pin before:2001-01-01": 0, "has:pin after:2001-01-01": 2,
		} {
			want(q, n)
		}
		found(t, db, testkit.UserID(1), "has:file", domain.Newest, 3)
		found(t, db, testkit.UserID(1), "has:pin", domain.Newest, 2)

		if _, err := db.Messages.EditMessage(ctx, me, room, plan.Seq, "coffee plan", nil, false, now); err != nil {
			t.Fatal(err)
		}
		want("tea has:file", 0)
		want("coffee has:file", 1)
		if _, err := db.Messages.DeleteMessage(ctx, testkit.UserID(1), room, bare.Seq, now); err != nil {
			t.Fatal(err)
		}
		want("has:file", 1)
		if _, err := db.Messages.Unpin(ctx, me, room, pinned.Seq, now); err != nil {
			t.Fatal(err)
		}
		want("has:pin", 1)
		if _, err := db.Departure.Leave(ctx, testkit.UserID(2), room, now); err != nil {
			t.Fatal(err)
		}
		found(t, db, testkit.UserID(2), "has:pin", domain.Newest, 0)
		found(t, db, testkit.UserID(2), "has:file", domain.Newest, 0)

		vectors := map[string]embed.Vector{"coffee plan": towards(1, 0.5), p.Text(): towards(1, 0.5)}
		for i := range 60 { // more than a search finds by meaning
			text := fmt.Sprint("the lift is stuck ", i)
			vectors[text] = towards(1, 0.9)
			testkit.Say(t, db, me, room, fmt.Sprint(i), text)
		}
		if err := db.Search.BeginVectors(ctx, "a model"); err != nil {
			t.Fatal(err)
		}
		give(t, db, vectors)
		for filter, text := range map[string]string{"has:file": "coffee plan", "has:pin": "coffee plan",
			"has:poll": p.Text()} {
			if got := near(t, db, me, "elevator "+filter, towards(1, 1)); got != text+"*|" {
				t.Errorf("%s: %s", filter, got)
			}
		}
	})
}
