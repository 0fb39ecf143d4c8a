package files_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

var now = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// ready uploads a file of one part, for room.
func ready(t *testing.T, db *all.Store, owner, room string, n int) domain.File {
	t.Helper()
	f := domain.File{ID: domain.NewID(domain.FilePrefix), Owner: owner, Room: room, Name: fmt.Sprint("file ", n, ".txt"),
		Size: 3, State: domain.FileUploading, Expires: now.Add(domain.UnattachedLife)}
	must(t, db.Files.Create(t.Context(), f, 0, now))
	hash := fmt.Sprintf("%064x", n)
	_, err := db.Blobs.AddBlob(t.Context(), domain.Blob{Hash: hash, Size: 3, Type: "text/plain", Object: f.ID}, now)
	must(t, err)
	must(t, db.Files.AddPart(t.Context(), f.ID, owner, domain.FilePiece{Size: 3, Hash: hash}, nil, now))
	f, err = db.Files.Own(t.Context(), f.ID, owner)
	must(t, err)
	f.Type, f.State = "text/plain", domain.FileReady
	f, err = db.Files.Complete(t.Context(), f, nil, now)
	must(t, err)
	return f
}

func post(t *testing.T, db *all.Store, room, key string, files ...string) domain.Event {
	t.Helper()
	d := domain.Draft{Room: room, Key: key, Files: files}
	e, _, err := db.Messages.AppendMessage(t.Context(), testkit.UserID(0), d, nil, false, now)
	must(t, err)
	return e
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// kept returns how many files there are, and how many references to their parts.
func kept(t *testing.T, db *all.Store) (files, refs int) {
	t.Helper()
	must(t, db.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM files), (SELECT count(*) FROM blob_refs)`).Scan(
		&files, &refs))
	return files, refs
}

func wantKept(t *testing.T, db *all.Store, when string, want int) {
	t.Helper()
	if files, refs := kept(t, db); files != want || refs != want {
		t.Errorf("%s: %d files with %d parts, want %d", when, files, refs, want)
	}
}

// A file goes with the last message that has it, also when that is purged.
func TestFilesGoWithTheirLastMessage(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, me := t.Context(), testkit.UserID(0)
		room := testkit.Room(t, db, 2)
		a, b := ready(t, db, me, room, 1), ready(t, db, me, room, 2)
		first := post(t, db, room, "1", a.ID, b.ID)
		second := post(t, db, room, "2", b.ID)
		again := post(t, db, room, "1", a.ID, b.ID)
		if again.Seq != first.Seq || len(again.Message.Files) != 2 || again.Message.Files[1].ID != b.ID {
			t.Errorf("the same key again: %+v", again)
		}
		mark := func(at int) { // as a node does that knows no files
			err := db.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.ExecContext(ctx, `UPDATE events SET deleted_at = $1 WHERE room_id = $2 AND seq = $3`, at, room,
					first.Seq)
				return err
			})
			must(t, err)
		}
		mark(1)
		if _, err := db.Files.Readable(ctx, a.ID, me); domain.CodeOf(err) != domain.CodeNoSuchFile {
			t.Errorf("of a message that an older node has deleted: %v", err)
		}
		mark(0)
		_, err := db.Messages.DeleteMessage(ctx, me, room, first.Seq, now)
		must(t, err)
		wantKept(t, db, "one of two messages is deleted", 1)
		page, err := db.Log.Timeline(ctx, domain.WholeLog(room), domain.PageQuery{Limit: 10})
		must(t, err)
		for _, e := range page.Events {
			if want := map[int64]int{second.Seq: 1}[e.Seq]; e.Message != nil && len(e.Message.Files) != want {
				t.Errorf("message %d has %d files", e.Seq, len(e.Message.Files))
			}
		}
		p, err := db.Messages.Purge(ctx, room, domain.PurgeStep{Before: time.Now().Add(time.Hour), Limit: 100})
		must(t, err)
		if p.Events == 0 {
			t.Fatal("nothing was purged")
		}
		wantKept(t, db, "the other is purged", 0)
	})
}

// Under a legal hold the files of deleted messages stay, where nobody in the room reads them, until the hold ends.
func TestHeldFilesStayUntilTheHoldEnds(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, me := t.Context(), testkit.UserID(0)
		room := testkit.Room(t, db, 2)
		f := ready(t, db, me, room, 1)
		e := post(t, db, room, "1", f.ID)
		_, err := db.Rooms.HoldRoom(ctx, me, room, true, now)
		must(t, err)
		_, err = db.Messages.DeleteMessage(ctx, me, room, e.Seq, now)
		must(t, err)
		wantKept(t, db, "held", 1)
		for i := range 2 {
			if _, err := db.Files.Readable(ctx, f.ID, testkit.UserID(i)); domain.CodeOf(err) != domain.CodeNoSuchFile {
				t.Errorf("user %d reads a held file: %v", i, err)
			}
		}
		if n, err := db.Files.Expire(ctx, now.Add(1000*time.Hour), 10); n != 0 || err != nil {
			t.Errorf("%d held files expired, %v", n, err)
		}
		_, err = db.Rooms.HoldRoom(ctx, me, room, false, now)
		must(t, err)
		if n, err := db.Files.Expire(ctx, now, 10); n != 1 || err != nil {
			t.Errorf("%d files expired after the hold, %v", n, err)
		}
		wantKept(t, db, "after the hold", 0)
	})
}

// Files that nobody posts expire, and go with their owner's account; those in messages stay.
func TestUnpostedFilesGo(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, me := t.Context(), testkit.UserID(1)
		room := testkit.Room(t, db, 2)
		ready(t, db, me, room, 1)
		if n, err := db.Files.Expire(ctx, now.Add(domain.UnattachedLife), 10); n != 0 || err != nil {
			t.Errorf("%d expired in time, %v", n, err)
		}
		if n, err := db.Files.Expire(ctx, now.Add(domain.UnattachedLife+time.Second), 10); n != 1 || err != nil {
			t.Errorf("%d expired, %v", n, err)
		}
		ready(t, db, me, room, 2)
		posted := ready(t, db, me, room, 3)
		_, _, err := db.Messages.AppendMessage(ctx, me, domain.Draft{Room: room, Key: "1", Files: []string{posted.ID}}, nil,
			false, now)
		must(t, err)
		must(t, db.Departure.DeleteUser(ctx, me, now))
		wantKept(t, db, "the account is deleted", 1)
		if _, err := db.Files.Readable(ctx, posted.ID, testkit.UserID(0)); err != nil {
			t.Errorf("others read what was posted: %v", err)
		}
	})
}

// The files of a room are found by the beginning of a word of their names.
func TestRoomFilesAreFoundByName(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, me := t.Context(), testkit.UserID(0)
		room := testkit.Room(t, db, 2)
		seqs := make([]int64, 3)
		for i := range seqs {
			seqs[i] = post(t, db, room, fmt.Sprint(i), ready(t, db, me, room, i).ID).Seq
		}
		for _, c := range []struct {
			q    domain.RoomFilesQuery
			want []int64
		}{
			{domain.RoomFilesQuery{}, []int64{seqs[2], seqs[1], seqs[0]}},
			{domain.RoomFilesQuery{Words: "FIL"}, []int64{seqs[2], seqs[1], seqs[0]}},
			{domain.RoomFilesQuery{Words: "1"}, []int64{seqs[1]}},
			{domain.RoomFilesQuery{Words: "ile"}, nil},
			{domain.RoomFilesQuery{Words: "%"}, nil},
			{domain.RoomFilesQuery{Kind: domain.OtherFile, Before: seqs[1]}, []int64{seqs[0]}},
			{domain.RoomFilesQuery{Kind: domain.ImageFile}, nil},
		} {
			c.q.Limit = 10
			found, err := db.Files.RoomFiles(ctx, domain.WholeLog(room), c.q)
			must(t, err)
			var got []int64
			for _, f := range found {
				got = append(got, f.Seq)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%+v: %v, want %v", c.q, got, c.want)
			}
		}
	})
}

// Files may be kept for a shorter time than their messages, which then say that they are gone. A legal hold keeps them.
func TestOldFilesAreRetired(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, me := t.Context(), testkit.UserID(0)
		room := testkit.Room(t, db, 2)
		f := ready(t, db, me, room, 1)
		e := post(t, db, room, "1", f.ID)
		retire := func(before time.Time, want int) {
			t.Helper()
			if n, err := db.Files.Retire(ctx, before, now, 10); n != want || err != nil {
				t.Errorf("%d retired, want %d, %v", n, want, err)
			}
		}
		retire(now, 0)
		_, err := db.Rooms.HoldRoom(ctx, me, room, true, now)
		must(t, err)
		retire(now.Add(time.Second), 0)
		_, err = db.Rooms.HoldRoom(ctx, me, room, false, now)
		must(t, err)
		retire(now.Add(time.Second), 1)
		retire(now.Add(time.Second), 0)
		m, err := db.Log.MessageAt(ctx, domain.WholeLog(room), e.Seq)
		must(t, err)
		if len(m.Files) != 1 || m.Files[0].State != domain.FileGone || m.Files[0].Size != 3 {
			t.Errorf("the message has %+v", m.Files)
		}
		if files, refs := kept(t, db); files != 1 || refs != 0 {
			t.Errorf("%d files, %d parts", files, refs)
		}
		if used, err := db.Files.Use(ctx, me); used != 0 || err != nil {
			t.Errorf("it takes %d bytes, %v", used, err)
		}
		again := domain.Draft{Room: room, Key: "2", Files: []string{f.ID}}
		_, _, err = db.Messages.AppendMessage(ctx, me, again, nil, false, now)
		if domain.CodeOf(err) != domain.CodeNoSuchFile {
			t.Errorf("it is posted again: %v", err)
		}
	})
}

// Who has many files that no message has posts or deletes some first.
func TestFewFilesWaitToBePosted(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	room := testkit.Room(t, db, 2)
	begin := func(owner int) (id string, err error) {
		f := domain.File{ID: domain.NewID(domain.FilePrefix), Owner: testkit.UserID(owner), Room: room, Name: "a", Size: 1,
			State: domain.FileUploading, Expires: now.Add(domain.UnattachedLife)}
		return f.ID, db.Files.Create(t.Context(), f, 0, now)
	}
	var last string
	for range domain.MaxOpenUploads {
		id, err := begin(0)
		must(t, err)
		last = id
	}
	if _, err := begin(0); domain.CodeOf(err) != domain.CodeManyUploads {
		t.Errorf("one more: %v", err)
	}
	if _, err := begin(1); err != nil {
		t.Errorf("of somebody else: %v", err)
	}
	must(t, db.Files.Delete(t.Context(), last, testkit.UserID(0), now))
	if _, err := begin(0); err != nil {
		t.Errorf("after one was deleted: %v", err)
	}
}
