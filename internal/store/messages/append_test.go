package messages_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func TestConcurrentAppendsAreGapless(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 8)
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := make(map[int64]string)
		for u := range 8 {
			wg.Go(func() {
				last := int64(0)
				for i := range 50 {
					key := fmt.Sprintf("k-%d-%d", u, i)
					e, repeat, err := db.Messages.AppendMessage(t.Context(), testkit.UserID(u),
						domain.Draft{Room: room, Key: key, Text: key}, nil, false, time.Now())
					if err != nil || repeat {
						t.Errorf("append %s: %v, repeat %v", key, err, repeat)
						return
					}
					if e.Seq <= last {
						t.Errorf("%d after %d for one sender", e.Seq, last)
					}
					last = e.Seq
					mu.Lock()
					seen[e.Seq] = key
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(seen) != 400 {
			t.Fatalf("%d different numbers for 400 messages", len(seen))
		}
		events, err := db.Log.Replay(t.Context(), domain.WholeLog(room), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range events {
			if e.Seq != int64(i+1) {
				t.Fatalf("event %d has number %d", i+1, e.Seq)
			}
			if e.Type == domain.MessageCreated && seen[e.Seq] != e.Message.Text {
				t.Fatalf("event %d says %q, was acknowledged as %q", e.Seq, e.Message.Text, seen[e.Seq])
			}
		}
		if len(events) != 409 {
			t.Fatalf("%d events, want room.created, 8 joins and 400 messages", len(events))
		}
	})
}

func TestAKeyIsIdempotent(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		var wg sync.WaitGroup
		seqs := make([]int64, 20)
		for i := range seqs {
			wg.Go(func() { seqs[i] = testkit.Say(t, db, testkit.UserID(1), room, "same", fmt.Sprint(i)).Seq })
		}
		wg.Wait()
		for _, s := range seqs {
			if s != seqs[0] {
				t.Fatalf("one key led to %v", seqs)
			}
		}
		if e := testkit.Say(t, db, testkit.UserID(0), room, "same", "mine"); e.Seq == seqs[0] {
			t.Fatal("another sender's key led to the same message")
		}
	})
}

// Messages that are sent again share commits with new ones, as when clients reconnect: each gets the
// event that it already had.
func TestDuplicateKeysWithinABatch(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 8)
		var mu sync.Mutex
		first := make(map[string]int64)
		for round := range 6 {
			var wg sync.WaitGroup
			for u := range 8 {
				for i := range 2 * (round + 1) { // two of them new
					wg.Go(func() {
						key := fmt.Sprint(u, "-", i)
						e, repeat, err := db.Messages.AppendMessage(t.Context(), testkit.UserID(u),
							domain.Draft{Room: room, Key: key, Text: key}, nil, false, time.Now())
						if err != nil {
							t.Errorf("%s: %v", key, err)
							return
						}
						mu.Lock()
						defer mu.Unlock()
						if was, ok := first[key]; ok != repeat || ok && was != e.Seq {
							t.Errorf("%s: number %d, repeat %v; was %d, known %v", key, e.Seq, repeat, was, ok)
						}
						first[key] = e.Seq
					})
				}
			}
			wg.Wait()
		}
		events, err := db.Log.Replay(t.Context(), domain.WholeLog(room), 0, 1000)
		messages := 0
		for i, e := range events {
			if e.Seq != int64(i+1) {
				t.Fatalf("event %d has the number %d", i, e.Seq)
			}
			if e.Type == domain.MessageCreated {
				messages++
			}
		}
		if err != nil || messages != len(first) {
			t.Errorf("%d messages, want %d, %v", messages, len(first), err)
		}
	})
}

func TestARefusedMessageFailsAlone(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 3)
		if _, err := db.Departure.Kick(t.Context(), testkit.UserID(0), room, testkit.UserID(2), "", time.Now()); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				_, _, err := db.Messages.AppendMessage(t.Context(), testkit.UserID(i%3),
					domain.Draft{Room: room, Key: fmt.Sprint(i), Text: "x"}, nil, false, time.Now())
				if refused := i%3 == 2; refused != (domain.CodeOf(err) == domain.CodeNotAMember) || !refused &&
					err != nil {
					t.Errorf("message %d: %v", i, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestEditAndDelete(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		ctx := t.Context()
		e := testkit.Say(t, db, testkit.UserID(1), room, "1", "first text")
		edited, err := db.Messages.EditMessage(ctx, testkit.UserID(1), room, e.Seq, "second text", []string{"user0"}, false,
			time.Now())
		if err != nil || edited.Seq != e.Seq+1 || edited.Message.Text != "second text" || edited.Message.Edits != 1 {
			t.Fatalf("edit: %+v, %v", edited, err)
		}
		if _, err := db.Messages.EditMessage(ctx, testkit.UserID(0), room, e.Seq, "not mine", nil, false,
			time.Now()); domain.CodeOf(err) != domain.CodeNotYours {
			t.Fatalf("editing another's message: %v", err)
		}
		versions, err := db.Log.Versions(ctx, domain.WholeLog(room), e.Seq)
		if err != nil || len(versions) != 1 || versions[0].Text != "first text" {
			t.Fatalf("versions %v, %v", versions, err)
		}
		mark, err := db.Messages.MarkRead(ctx, testkit.UserID(0), room, 1, false, time.Now())
		if err != nil || mark.Messages != 1 || mark.Mentions != 1 {
			t.Fatalf("unread before the deletion: %+v, %v", mark, err)
		}
		if _, err := db.Messages.DeleteMessage(ctx, testkit.UserID(0), room, e.Seq, time.Now()); err != nil {
			t.Fatalf("the owner deletes: %v", err)
		}
		state, err := db.Rooms.RoomState(ctx, testkit.UserID(0), room)
		if err != nil || state.Messages != 0 || state.Mentions != 0 || state.Last != nil {
			t.Fatalf("after the deletion: %+v, %v", state, err)
		}
		events, err := db.Log.Replay(ctx, domain.WholeLog(room), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Message != nil && e.Message.Text != "" {
				t.Fatalf("event %d still says %q", e.Seq, e.Message.Text)
			}
		}
		if versions, err := db.Log.Versions(ctx, domain.WholeLog(room), e.Seq); err != nil || len(versions) != 0 {
			t.Fatalf("versions of a deleted message: %v, %v", versions, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, senders := range []int{1, 32, 256} {
		b.Run(fmt.Sprint(senders), func(b *testing.B) {
			db, err := all.Open(b.Context(), store.Options{Path: filepath.Join(b.TempDir(), "bench.db")})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = db.Close() })
			room := testkit.Room(b, db, 32)
			var wg sync.WaitGroup
			work := make(chan int)
			for u := range senders {
				wg.Go(func() {
					for i := range work {
						_, _, err := db.Messages.AppendMessage(b.Context(), testkit.UserID(u%32),
							domain.Draft{Room: room, Key: fmt.Sprint(i),
								Text: "a message of some twenty words or so, as people write them when they talk about " +
									"the weather in the room"}, nil, false, time.Now())
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			b.ResetTimer()
			for i := range b.N {
				work <- i
			}
			close(work)
			wg.Wait()
		})
	}
}

// A key that is sent to two servers at the same time, as when a client reconnects to another one,
// makes one message, and fails no other in the same commit.
func TestAKeyIsIdempotentAcrossServers(t *testing.T) {
	t.Parallel()
	o := testkit.Postgres(t)
	dbs := []*all.Store{testkit.Open(t, o), testkit.Open(t, o)}
	room := testkit.Room(t, dbs[0], 8)
	const keys = 60
	var wg sync.WaitGroup
	var mu sync.Mutex
	seqs := make(map[string]int64)
	for who := range 8 {
		for _, db := range dbs {
			wg.Go(func() {
				for i := range keys {
					key := fmt.Sprint(who, "-", i)
					e, _, err := db.Messages.AppendMessage(t.Context(), testkit.UserID(who),
						domain.Draft{Room: room, Key: key, Text: key}, nil, false, time.Now())
					if err != nil {
						t.Errorf("%s: %v", key, err)
						return
					}
					mu.Lock()
					if at, ok := seqs[key]; ok && at != e.Seq {
						t.Errorf("%s has the numbers %d and %d", key, at, e.Seq)
					}
					seqs[key] = e.Seq
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	events, err := dbs[0].Log.Replay(t.Context(), domain.WholeLog(room), 0, 1000)
	messages := 0
	for _, e := range events {
		if e.Type == domain.MessageCreated {
			messages++
		}
	}
	if err != nil || messages != 8*keys {
		t.Errorf("%d messages, want %d, %v", messages, 8*keys, err)
	}
}

// A page at a time begins at the same line as a search through the whole log, also after edits,
// deletions and a purge, before the first line and after the last one.
func TestTimelinePages(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 1)
		begin := time.Now().Add(time.Hour)
		for i := range 40 {
			now := begin.Add(time.Duration(i/3) * time.Minute) // three lines of each minute
			d := domain.Draft{Room: room, Key: fmt.Sprint(i), Text: "line"}
			e, _, err := db.Messages.AppendMessage(t.Context(), testkit.UserID(0), d, nil, false, now)
			if err != nil {
				t.Fatal(err)
			}
			for n := range i % 4 { // no lines of their own
				if _, err := db.Messages.EditMessage(t.Context(), testkit.UserID(0), room, e.Seq, fmt.Sprint("edit ", n), nil,
					false, now); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := db.Messages.Purge(t.Context(), room,
			domain.PurgeStep{UpTo: 20, LineCutoff: begin.Add(time.Hour), Limit: 100}); err != nil {
			t.Fatal(err)
		}
		all, err := db.Log.Timeline(t.Context(), domain.WholeLog(room), domain.PageQuery{Limit: 100})
		if err != nil || len(all.Events) < 20 || len(all.Events) >= 40 {
			t.Fatalf("%d lines of 40 after a purge: %v", len(all.Events), err)
		}
		for half := range 40 {
			when := begin.Add(time.Duration(half) * 30 * time.Second)
			want := int64(0)
			for _, e := range all.Events {
				if want == 0 && !e.At.Before(when.Truncate(time.Millisecond)) {
					want = e.Seq
				}
			}
			p, err := db.Log.Timeline(t.Context(), domain.WholeLog(room), domain.PageQuery{At: when, Limit: 2})
			if err != nil {
				t.Fatal(err)
			}
			got := int64(0)
			if n := len(p.Events); n > 0 && (want != 0 || !p.Events[n-1].At.Before(when)) {
				got = p.Events[n-1].Seq
			}
			if got != want {
				t.Errorf("%d half minutes on: the page ends with %d, the first line of then is %d", half, got, want)
			}
		}
	})
}

// The writer's cache of rooms and members is never older than the last change, by the server itself
// or by a command beside it.
func TestAppendsSeeCommittedPermissions(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		db := testkit.Open(t, o)
		o.Tool = true
		for by, other := range map[string]*all.Store{"server": db, "command": testkit.Open(t, o)} {
			t.Run(by, func(t *testing.T) { appendedSeq(t, db, other, by) })
		}
	})
}

func appendedSeq(t *testing.T, db, other *all.Store, by string) {
	u := domain.User{ID: "usr_" + by, Kind: domain.KindUser, Role: domain.SystemUser, Username: by,
		DisplayName: "Old name"}
	owner := domain.User{ID: "own_" + by, Kind: domain.KindUser, Role: domain.SystemUser, Username: "owner." + by}
	for _, u := range []domain.User{owner, u} {
		if err := db.Accounts.CreateUser(t.Context(), u, "", domain.Signup{}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	s, _, err := db.Rooms.CreateRoom(t.Context(), owner.ID,
		domain.NewRoom{Kind: domain.PublicRoom, Name: "Lobby", Members: []string{u.ID}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	room, yes, no, name := s.Room.ID, true, false, "New name"
	for i, step := range []struct {
		change func() error
		code   domain.Code
	}{
		{func() error { return nil }, ""},
		{func() error { return mute(t, other, owner.ID, room, u.ID, time.Now().Add(time.Hour)) }, domain.CodeMuted},
		{func() error { return mute(t, other, owner.ID, room, u.ID, time.Time{}) }, ""},
		{func() error { _, err := other.Departure.Leave(t.Context(), u.ID, room, time.Now()); return err },
			domain.CodeNotAMember},
		{func() error { _, err := other.Rooms.Join(t.Context(), u.ID, room, time.Now()); return err }, ""},
		{func() error {
			_, err := other.Rooms.UpdateRoom(t.Context(), owner.ID, room, domain.RoomChange{Archived: &yes}, time.Now())
			return err
		}, domain.CodeRoomArchived},
		{func() error {
			_, err := other.Rooms.UpdateRoom(t.Context(), owner.ID, room, domain.RoomChange{Archived: &no}, time.Now())
			return err
		}, ""},
		{func() error {
			_, err := other.Messages.MarkRead(t.Context(), u.ID, room, 2, false, time.Now())
			return err
		}, ""},
		{func() error {
			_, err := other.Accounts.UpdateProfile(t.Context(), u.ID, domain.Profile{DisplayName: &name})
			return err
		}, ""},
	} {
		if err := step.change(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		r, err := db.Rooms.Room(t.Context(), room)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 2 { // asked, and known
			e, _, err := db.Messages.AppendMessage(t.Context(), u.ID,
				domain.Draft{Room: room, Key: fmt.Sprint(i, n), Text: "hello"}, nil, false, time.Now())
			if code := domain.CodeOf(err); code != step.code || code == "" && err != nil {
				t.Errorf("step %d: %v, want %q", i, err, step.code)
			}
			if err == nil && (e.Seq != r.Head+int64(n)+1 || i == 8 && e.Actor.DisplayName != name) {
				t.Errorf("step %d: message %d of %q in a room with %d events", i, e.Seq, e.Actor.DisplayName, r.Head)
			}
		}
		if e, repeat, err := db.Messages.AppendMessage(t.Context(), u.ID, domain.Draft{Room: room, Key: "0 0", Text: "hello"},
			nil, false, time.Now()); err != nil || !repeat {
			t.Errorf("step %d: what was sent before is not known: %v, %v", i, e, err)
		}
	}
}

func mute(t *testing.T, db *all.Store, by, room, user string, until time.Time) error {
	_, err := db.Rooms.Mute(t.Context(), by, room, user, until, time.Now())
	return err
}

// Only messages change the order of a user's rooms: no edit, topic, mute or new member does.
func TestOnlyMessagesChangeTheLastActivity(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		quiet := testkit.Room(t, db, 3)
		began := time.Now()
		e := testkit.Say(t, db, testkit.UserID(0), quiet, "1", "first")
		busy, _, err := db.Rooms.CreateRoom(t.Context(), testkit.UserID(0),
			domain.NewRoom{Kind: domain.PublicRoom, Name: "Busy"}, began.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		first := func() string {
			t.Helper()
			states, err := db.Rooms.RoomStates(t.Context(), testkit.UserID(0))
			if err != nil {
				t.Fatal(err)
			}
			return states[0].Room.ID
		}
		later := began.Add(time.Hour)
		topic := "another"
		for what, change := range map[string]func() error{
			"an edit": func() error {
				_, err := db.Messages.EditMessage(t.Context(), testkit.UserID(0), quiet, e.Seq, "changed", nil, false, later)
				return err
			},
			"a topic": func() error {
				_, err := db.Rooms.UpdateRoom(t.Context(), testkit.UserID(0), quiet, domain.RoomChange{Topic: &topic}, later)
				return err
			},
			"somebody who leaves": func() error {
				_, err := db.Departure.Leave(t.Context(), testkit.UserID(2), quiet, later)
				return err
			},
		} {
			if err := change(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if first() != busy.Room.ID {
				t.Errorf("%s moved the room up", what)
			}
		}
		if _, _, err := db.Messages.AppendMessage(t.Context(), testkit.UserID(1),
			domain.Draft{Room: quiet, Key: "2", Text: "second"}, nil, false, later); err != nil {
			t.Fatal(err)
		}
		if first() != quiet {
			t.Error("a message did not move the room up")
		}
	})
}
