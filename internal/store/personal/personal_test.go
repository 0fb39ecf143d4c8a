package personal_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// saved returns the numbers of all messages that user saved, by pages of two.
func saved(t *testing.T, db *all.Store, user string) (seqs []int64) {
	t.Helper()
	for c, more := (domain.SavedCursor{}), true; more; {
		page, err := db.Personal.Saved(t.Context(), user, c, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page {
			if s.At.IsZero() || s.Message.Text == "" || s.Message.Sender.ID == "" {
				t.Errorf("saved is %+v", s)
			}
			seqs = append(seqs, s.Message.Seq)
			c = domain.SavedCursor{At: s.At.UnixMilli(), Room: s.Message.Room, Seq: s.Message.Seq}
		}
		more = len(page) == 2
	}
	return seqs
}

func count(t *testing.T, db *all.Store, table string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Saved messages are listed as they are, the last one first, to the one who saved them alone. One that is deleted or
// purged is saved no longer.
func TestSaved(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 2)
		owner, user := testkit.UserID(0), testkit.UserID(1)
		var seqs []int64
		for i, key := range []string{"a", "b", "c"} {
			m := testkit.Say(t, db, owner, room, key, "recipe "+key)
			seqs = append(seqs, m.Seq)
			changed, err := db.Personal.Save(ctx, user, room, m.Seq, now.Add(time.Duration(i)*time.Second))
			if err != nil || !changed {
				t.Fatal(changed, err)
			}
		}
		if changed, err := db.Personal.Save(ctx, user, room, seqs[0], now.Add(time.Hour)); err != nil || changed {
			t.Errorf("saved again: %v, %v", changed, err)
		}
		if got := saved(t, db, user); !slices.Equal(got, []int64{seqs[2], seqs[1], seqs[0]}) {
			t.Errorf("saved are %v of %v", got, seqs)
		}
		if got := saved(t, db, owner); len(got) != 0 {
			t.Errorf("somebody else has saved %v", got)
		}
		in, err := db.Personal.SavedIn(ctx, user, room, now)
		if err != nil || !slices.Equal(in, seqs) {
			t.Errorf("in the room %v, %v", in, err)
		}
		for _, want := range []bool{true, false} {
			if changed, err := db.Personal.Unsave(ctx, user, room, seqs[1], now); err != nil || changed != want {
				t.Errorf("taken off: %v, %v", changed, err)
			}
		}
		if _, err := db.Messages.DeleteMessage(ctx, owner, room, seqs[2], now); err != nil {
			t.Fatal(err)
		}
		if got := saved(t, db, user); !slices.Equal(got, seqs[:1]) {
			t.Errorf("saved are %v, not only %d", got, seqs[0])
		}
		_, err = db.Messages.Purge(ctx, room, domain.PurgeStep{Before: now.Add(time.Hour), Limit: 100})
		if n := count(t, db, "saved_messages"); err != nil || n != 0 {
			t.Errorf("%d rows are left of messages that are gone: %v", n, err)
		}
	})
}

// Nobody saves what they may not read, what is no message, or more than one person can.
func TestWhatIsNotSaved(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 2)
		owner, user := testkit.UserID(0), testkit.UserID(1)
		m := testkit.Say(t, db, owner, room, "a", "recipe")
		gone := testkit.Say(t, db, owner, room, "b", "a slip")
		if _, err := db.Messages.DeleteMessage(ctx, owner, room, gone.Seq, now); err != nil {
			t.Fatal(err)
		}
		for what, c := range map[string]struct {
			user, room string
			seq        int64
			code       domain.Code
		}{
			"no member":  {testkit.UserID(7), room, m.Seq, domain.CodeNotAMember},
			"no room":    {user, domain.NewID(domain.RoomPrefix), m.Seq, domain.CodeNoRoom},
			"no number":  {user, room, gone.Seq + 100, domain.CodeNoMessage},
			"no message": {user, room, 1, domain.CodeNoMessage},
			"deleted":    {user, room, gone.Seq, domain.CodeMessageDeleted},
		} {
			if changed, err := db.Personal.Save(ctx, c.user, c.room, c.seq, now); changed || domain.CodeOf(err) != c.code {
				t.Errorf("%s: %v, %v", what, changed, err)
			}
		}
		_, err := db.Personal.Unsave(ctx, testkit.UserID(7), room, m.Seq, now)
		if domain.CodeOf(err) != domain.CodeNotAMember {
			t.Errorf("a stranger takes off: %v", err)
		}
		if _, err := db.Personal.SavedIn(ctx, testkit.UserID(7), room, now); domain.CodeOf(err) != domain.CodeNotAMember {
			t.Errorf("a stranger reads: %v", err)
		}
		fill(t, db, `INSERT INTO saved_messages (user_id, room_id, seq, at) VALUES `, domain.MaxSaved,
			func(i int) string { return fmt.Sprintf("('%s', '%s', %d, 1)", user, room, 10_000+i) })
		if _, err := db.Personal.Save(ctx, user, room, m.Seq, now); domain.CodeOf(err) != domain.CodeTooManySaved {
			t.Errorf("one more: %v", err)
		}
	})
}

// fill inserts rows, as no test could by the methods of the repository in time.
func fill(t *testing.T, db *all.Store, insert string, n int, row func(int) string) {
	t.Helper()
	rows := make([]string, n)
	for i := range rows {
		rows[i] = row(i)
	}
	err := db.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, insert+strings.Join(rows, ", "))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Whoever leaves a room keeps nothing of it, and whoever deletes their account keeps nothing.
func TestWhatIsKeptGoesWithTheMember(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 3)
		m := testkit.Say(t, db, testkit.UserID(0), room, "a", "recipe")
		for _, user := range []string{testkit.UserID(1), testkit.UserID(2)} {
			if _, err := db.Personal.Save(ctx, user, room, m.Seq, now); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Personal.PutDraft(ctx, user, domain.PersonalDraft{Room: room, Text: "mm"}, 0, now); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Departure.Leave(ctx, testkit.UserID(1), room, now); err != nil {
			t.Fatal(err)
		}
		if s, d := count(t, db, "saved_messages"), count(t, db, "drafts"); s != 1 || d != 1 {
			t.Errorf("after one has left, %d messages and %d drafts are kept", s, d)
		}
		if err := db.Departure.DeleteUser(ctx, testkit.UserID(2), now); err != nil {
			t.Fatal(err)
		}
		if s, d := count(t, db, "saved_messages"), count(t, db, "drafts"); s+d != 0 {
			t.Errorf("of a deleted account, %d messages and %d drafts are kept", s, d)
		}
	})
}

// A draft is what was written last. Versions rise with each change, also when the clock stands still.
func TestDrafts(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 2)
		user := testkit.UserID(1)
		m := testkit.Say(t, db, user, room, "a", "recipe")
		put := func(thread int64, text string, over int64, want domain.Code) domain.PersonalDraft {
			t.Helper()
			d := domain.PersonalDraft{Room: room, Thread: thread, Text: text}
			d, err := db.Personal.PutDraft(ctx, user, d, over, now)
			if domain.CodeOf(err) != want {
				t.Errorf("draft %q over %d: %v", text, over, err)
			}
			return d
		}
		first := put(0, "to be", 0, "")
		second := put(0, "to be or", 0, "")
		reply := put(m.Seq, "not to be", 0, "")
		if first.Version < now.UnixMilli() || second.Version <= first.Version {
			t.Errorf("versions %d, %d", first.Version, second.Version)
		}
		put(0, "old", first.Version, domain.CodeDraftChanged)
		put(0, "", first.Version, domain.CodeDraftChanged)
		if all, err := db.Personal.Drafts(ctx, user); err != nil || len(all) != 2 ||
			!slices.Contains(all, second) || !slices.Contains(all, reply) {
			t.Errorf("drafts are %+v, %v", all, err)
		}
		if all, err := db.Personal.Drafts(ctx, testkit.UserID(0)); err != nil || len(all) != 0 {
			t.Errorf("somebody else has %+v, %v", all, err)
		}
		sent := put(0, "", second.Version, "")
		put(m.Seq, "", 0, "")
		if all, err := db.Personal.Drafts(ctx, user); err != nil || len(all) != 0 {
			t.Errorf("deleted drafts are %+v, %v", all, err)
		}
		if d := put(0, "again", sent.Version, ""); d.Version <= sent.Version {
			t.Errorf("version %d after %d", d.Version, sent.Version)
		}
		put(m.Seq+100, "nothing is there", 0, domain.CodeNoMessage)
		_, err := db.Personal.PutDraft(ctx, testkit.UserID(7), domain.PersonalDraft{Room: room, Text: "hi"}, 0, now)
		if domain.CodeOf(err) != domain.CodeNotAMember {
			t.Errorf("a stranger writes: %v", err)
		}
	})
}

// Of devices that write at once each gets a version of its own, and the draft is that of the highest.
func TestDevicesWriteAtOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 2)
		user := testkit.UserID(1)
		written := make([]domain.PersonalDraft, 8)
		var all sync.WaitGroup
		for i := range written {
			all.Go(func() {
				d, err := db.Personal.PutDraft(ctx, user, domain.PersonalDraft{Room: room, Text: strconv.Itoa(i)}, 0, now)
				if err != nil {
					t.Error(err)
				}
				written[i] = d
			})
		}
		all.Wait()
		slices.SortFunc(written, func(a, b domain.PersonalDraft) int { return int(a.Version - b.Version) })
		for i := 1; i < len(written); i++ {
			if written[i].Version == written[i-1].Version {
				t.Errorf("%+v and %+v have one version", written[i-1], written[i])
			}
		}
		if kept, err := db.Personal.Drafts(ctx, user); err != nil || len(kept) != 1 || kept[0] != written[len(written)-1] {
			t.Errorf("kept is %+v of %+v, %v", kept, written, err)
		}
	})
}

// There are at most as many drafts as one person can have; those that are there can still be changed.
func TestTooManyDrafts(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 2)
		user := testkit.UserID(1)
		fill(t, db, `INSERT INTO drafts (user_id, room_id, thread, text, version) VALUES `, domain.MaxDrafts,
			func(i int) string { return fmt.Sprintf("('%s', '%s', %d, 'x', 1)", user, room, i+1) })
		_, err := db.Personal.PutDraft(ctx, user, domain.PersonalDraft{Room: room, Text: "one more"}, 0, now)
		if domain.CodeOf(err) != domain.CodeTooManyDrafts {
			t.Errorf("one more: %v", err)
		}
		_, err = db.Personal.PutDraft(ctx, user, domain.PersonalDraft{Room: room, Thread: 1, Text: "changed"}, 0, now)
		if err != nil {
			t.Error(err)
		}
	})
}
