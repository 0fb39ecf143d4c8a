//go:build unix

package messages_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

const benchLines = 200 // of the room, in each of the benchmarks

// talked fills a room with lines, and with what is named beside each of them: one of four has a thread of three
// replies, four reactions of three emoji, or a file.
func talked(b *testing.B, db *all.Store, room, what string) {
	b.Helper()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	now := time.Now()
	for i := range benchLines {
		me := testkit.UserID(i % 8)
		d := domain.Draft{Room: room, Key: fmt.Sprint(i),
			Text: fmt.Sprint("a message of some words, as people write them ", i)}
		if what == "files" && i%4 == 0 {
			d.Files = []string{uploaded(b, db, me, room, i)}
		}
		e, _, err := db.Messages.AppendMessage(b.Context(), me, d, nil, false, now)
		must(err)
		for k := range 4 {
			switch other := testkit.UserID((i + k + 1) % 8); {
			case what == "reactions":
				_, _, err = db.Messages.React(b.Context(), other, domain.Reacting{Room: room, Seq: e.Seq,
					Emoji: []string{"👍", "🎉", "😂"}[k%3]}, now)
			case what == "threads" && i%4 == 0 && k < 3:
				_, _, err = db.Messages.AppendMessage(b.Context(), other, domain.Draft{Room: room, Thread: e.Seq,
					Key: fmt.Sprint(i, "-", k), Text: "a reply of some words"}, nil, false, now)
			}
			must(err)
		}
	}
}

func uploaded(b *testing.B, db *all.Store, owner, room string, n int) (id string) {
	b.Helper()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	ctx, now := b.Context(), time.Now()
	f := domain.File{ID: domain.NewID(domain.FilePrefix), Owner: owner, Room: room, Name: fmt.Sprint(n, ".txt"), Size: 3,
		State: domain.FileUploading, Expires: now.Add(domain.UnattachedLife)}
	must(db.Files.Create(ctx, f, 0, now))
	hash := fmt.Sprintf("%064x", n)
	_, err := db.Blobs.AddBlob(ctx, domain.Blob{Hash: hash, Size: 3, Type: "text/plain", Object: f.ID}, now)
	must(err)
	must(db.Files.AddPart(ctx, f.ID, owner, domain.FilePiece{Size: 3, Hash: hash}, nil, now))
	f, err = db.Files.Own(ctx, f.ID, owner)
	must(err)
	f.Type, f.State = "text/plain", domain.FileReady
	_, err = db.Files.Complete(ctx, f, nil, now)
	must(err)
	return f.ID
}

// BenchmarkRoom reads the last page of a room, the rooms of a user for a hello, and what is found of two words, of a
// room with lines alone, and of rooms with reactions, threads and files in it.
func BenchmarkRoom(b *testing.B) {
	for _, what := range []string{"lines", "reactions", "threads", "files"} {
		db, err := all.Open(b.Context(), store.Options{Path: filepath.Join(b.TempDir(), "bench.db")})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = db.Close() })
		room := testkit.Room(b, db, 8)
		talked(b, db, room, what)
		found := func() int {
			q, err := fulltext.Parse("people words", time.UTC)
			if err != nil {
				b.Fatal(err)
			}
			hits, _, err := db.Search.Search(b.Context(), testkit.UserID(1), q, domain.Newest, domain.SearchCursor{}, 20)
			if err != nil {
				b.Fatal(err)
			}
			return len(hits)
		}
		traffic.Wait(b.Context(), b, "all is indexed", func() bool { return found() == 20 })
		b.Run("page/"+what, func(b *testing.B) {
			testkit.Cost(b, "", 0, func(int) {
				page, err := db.Log.Timeline(b.Context(), domain.WholeLog(room), domain.PageQuery{Limit: 50, Main: true})
				if err != nil || len(page.Events) != 50 {
					b.Fatal(len(page.Events), err)
				}
			})
		})
		b.Run("hello/"+what, func(b *testing.B) {
			testkit.Cost(b, "", 0, func(int) {
				rooms, err := db.Rooms.RoomStates(b.Context(), testkit.UserID(1))
				if err != nil || len(rooms) != 1 || rooms[0].Unread.Messages == 0 {
					b.Fatal(rooms, err)
				}
			})
		})
		b.Run("search/"+what, func(b *testing.B) {
			testkit.Cost(b, "", 0, func(int) {
				if n := found(); n != 20 {
					b.Fatal(n)
				}
			})
		})
	}
}
