package feedlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

type silent struct{}

func (silent) Handled(string, int) {}
func (silent) Failed(string)       {}

func deps(db *all.Store) feed.Deps[domain.Event] {
	return feed.Deps[domain.Event]{Source: db.Feed, Cursors: db.Feed, DeadLetters: db.Feed, Observer: silent{}}
}

// A recorder notes the events that it is told of: the highest number of each room, and
// those that came out of turn.
type recorder struct {
	mu   sync.Mutex
	last map[string]int64
	bad  []string
	news chan struct{}
}

func newRecorder() *recorder {
	return &recorder{last: map[string]int64{}, news: make(chan struct{}, 1)}
}

func (w *recorder) handle(_ context.Context, entries []feed.Entry[domain.Event]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range entries {
		last := w.last[e.Value.Room]
		if e.Value.Seq > last+1 {
			w.bad = append(w.bad, fmt.Sprintf("%s after %d", e.Key, last))
		}
		w.last[e.Value.Room] = max(last, e.Value.Seq)
	}
	select {
	case w.news <- struct{}{}:
	default:
	}
	return nil
}

// until waits for the number of a room.
func (w *recorder) until(t *testing.T, room string, seq int64) {
	t.Helper()
	end := time.After(time.Minute)
	for {
		w.mu.Lock()
		last, bad := w.last[room], w.bad
		w.mu.Unlock()
		if len(bad) > 0 {
			t.Fatalf("out of turn: %v", bad)
		}
		if last >= seq {
			return
		}
		select {
		case <-w.news:
		case <-end:
			t.Fatalf("%d never came, the last was %d", seq, last)
		}
	}
}

func run(t *testing.T, d feed.Deps[domain.Event], c feed.Consumer[domain.Event]) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	var bell feed.Signal
	go func() {
		defer close(done)
		feed.Run(ctx, d, c, &bell)
	}()
	return func() { cancel(); <-done }
}

// claimed waits for a consumer to have its cursor.
func claimed(t *testing.T, db *all.Store, name string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 3000 {
		lags, err := db.Feed.Lags(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lags {
			if l.Consumer == name {
				return
			}
		}
		<-tick.C
	}
	t.Fatal("the consumer does not begin")
}

// TestEveryEventComesInTheOrderOfItsRoom has people write in several rooms at once
// while the consumer is stopped and started again, on one node or two.
func TestEveryEventComesInTheOrderOfItsRoom(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		nodes := []*all.Store{testkit.Open(t, o)}
		if o.URL != "" { // two servers share a PostgreSQL
			nodes = append(nodes, testkit.Open(t, o))
		}
		w := newRecorder()
		c := feed.Consumer[domain.Event]{Name: "witness", Batch: 20, Handle: w.handle}
		stop := run(t, deps(nodes[0]), c)
		claimed(t, nodes[0], "witness")
		rooms := []string{testkit.Room(t, nodes[0], 4)}
		for range 2 {
			s, _, err := nodes[0].Rooms.CreateRoom(t.Context(), testkit.UserID(0), domain.NewRoom{
				Kind: domain.PublicRoom, Name: fmt.Sprint("Room ", len(rooms)),
				Members: []string{testkit.UserID(1), testkit.UserID(2), testkit.UserID(3)},
			}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			rooms = append(rooms, s.Room.ID)
		}
		var writers sync.WaitGroup
		for who := range 4 {
			writers.Go(func() {
				for i := range 60 {
					key := fmt.Sprint(who, "-", i)
					d := domain.Draft{Room: rooms[(i+who)%len(rooms)], Key: key, Text: key}
					db := nodes[i%len(nodes)]
					if _, _, err := db.Messages.AppendMessage(t.Context(), testkit.UserID(who), d, nil, false,
						time.Now()); err != nil {
						t.Errorf("%s: %v", key, err)
						return
					}
				}
			})
		}
		for i := range 4 { // the next node goes on where the last one stopped
			stop()
			stop = run(t, deps(nodes[i%len(nodes)]), c)
		}
		writers.Wait()
		heads, err := nodes[0].Log.Heads(t.Context(), rooms)
		if err != nil {
			t.Fatal(err)
		}
		for _, room := range rooms {
			w.until(t, room, heads[room])
		}
		stop()
		lags, err := nodes[0].Feed.Lags(t.Context())
		if err != nil || len(lags) != 1 || !lags[0].Oldest.IsZero() {
			t.Errorf("behind after all: %+v, %v", lags, err)
		}
	})
}

// TestADeletedRoomHidesNoEvent deletes the newest rows of the log, whose positions
// SQLite assigns again.
func TestADeletedRoomHidesNoEvent(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		w := newRecorder()
		stop := run(t, deps(db), feed.Consumer[domain.Event]{Name: "witness", Handle: w.handle})
		defer stop()
		claimed(t, db, "witness")
		kept := testkit.Room(t, db, 1)
		gone, _, err := db.Rooms.CreateRoom(t.Context(), testkit.UserID(0),
			domain.NewRoom{Kind: domain.PublicRoom, Name: "Gone"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			testkit.Say(t, db, testkit.UserID(0), gone.Room.ID, fmt.Sprint("gone-", i), "x")
		}
		w.until(t, gone.Room.ID, 20)
		if _, err := db.Rooms.DeleteRoom(t.Context(), testkit.UserID(0), gone.Room.ID, time.Now()); err != nil {
			t.Fatal(err)
		}
		for more := true; more; {
			p, err := db.Messages.PurgeDeleted(t.Context(), gone.Room.ID, 7)
			if err != nil {
				t.Fatal(err)
			}
			more = p.More
		}
		last := testkit.Say(t, db, testkit.UserID(0), kept, "kept", "x")
		w.until(t, kept, last.Seq)
	})
}

func TestDeadLettersAreRetried(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		room := testkit.Room(t, db, 1)
		said := testkit.Say(t, db, testkit.UserID(0), room, "k", "poison")
		key := fmt.Sprintf("%s/%d", room, said.Seq)
		for _, cause := range []string{"first", "second"} {
			if err := db.Feed.AddDeadLetter(ctx, feed.DeadLetter{Consumer: "c", Key: key, Cause: cause,
				At: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		asides, err := db.Feed.DeadLetters(ctx, 10)
		if err != nil || len(asides) != 1 || asides[0].Cause != "second" {
			t.Fatalf("set aside: %+v, %v", asides, err)
		}
		if again, err := db.Feed.DeadLettersToRetry(ctx, "c", 10); err != nil || len(again) != 0 {
			t.Errorf("to be tried again without being asked: %v, %v", again, err)
		}
		if n, err := db.Feed.RetryDeadLetters(ctx, "c"); err != nil || n != 1 {
			t.Errorf("asked for %d, %v", n, err)
		}
		if again, err := db.Feed.DeadLettersToRetry(ctx, "c", 10); err != nil || len(again) != 1 {
			t.Errorf("to be tried again: %v, %v", again, err)
		}
		e, ok, err := db.Feed.Get(ctx, key)
		if err != nil || !ok || e.Value.Message.Text != "poison" {
			t.Errorf("got %+v, %v, %v", e, ok, err)
		}
		if _, ok, err := db.Feed.Get(ctx, room+"/999"); ok || err != nil {
			t.Errorf("an event that is gone: %v, %v", ok, err)
		}
		if err := db.Feed.DeleteDeadLetter(ctx, "c", key); err != nil {
			t.Fatal(err)
		}
		if asides, err := db.Feed.DeadLetters(ctx, 10); err != nil || len(asides) != 0 {
			t.Errorf("still aside: %v, %v", asides, err)
		}
	})
}

// TestABatchThatFailsIsNotLost has the consumer fail, with the cursor where it was.
func TestABatchThatFailsIsNotLost(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		w := newRecorder()
		failures := 2
		c := feed.Consumer[domain.Event]{Name: "c",
			Handle: func(ctx context.Context, entries []feed.Entry[domain.Event]) error {
				if failures > 0 {
					failures--
					return errors.New("not now")
				}
				return w.handle(ctx, entries)
			}}
		stop := run(t, deps(db), c)
		defer stop()
		claimed(t, db, "c")
		room := testkit.Room(t, db, 2)
		w.until(t, room, testkit.Say(t, db, testkit.UserID(1), room, "k", "x").Seq)
	})
}

// kept are cursors that say when a consumer shows that it is there.
type kept struct {
	feed.Cursors
	shown chan struct{}
}

func (k kept) ClaimCursor(
	ctx context.Context, name, owner string, from feed.From, until, now time.Time,
) (feed.Cursor, bool, error) {
	c, ok, err := k.Cursors.ClaimCursor(ctx, name, owner, from, until, now)
	k.shown <- struct{}{}
	return c, ok, err
}

func (k kept) AdvanceCursor(
	ctx context.Context, name, owner string, c feed.Cursor, now time.Time,
) (time.Time, bool, error) {
	until, ok, err := k.Cursors.AdvanceCursor(ctx, name, owner, c, now)
	k.shown <- struct{}{}
	return until, ok, err
}

// TestAnIdleConsumerIsNotPruned has nobody write for 40 days.
func TestAnIdleConsumerIsNotPruned(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		var days atomic.Int64
		k := kept{db.Feed, make(chan struct{}, 100)}
		d := deps(db)
		d.Cursors, d.Now = k, func() time.Time { return time.Now().AddDate(0, 0, int(days.Load())) }
		defer run(t, d, feed.Consumer[domain.Event]{Name: "c", Handle: newRecorder().handle})()
		<-k.shown
		days.Store(40)
		select {
		case <-k.shown:
		case <-time.After(2 * time.Minute):
			t.Error("the consumer does not show that it is there")
		}
		if err := db.Feed.Prune(t.Context(), time.Now().AddDate(0, 0, 10)); err != nil {
			t.Fatal(err)
		}
		if lags, err := db.Feed.Lags(t.Context()); err != nil || len(lags) != 1 {
			t.Errorf("consumers: %+v, %v", lags, err)
		}
	})
}

// TestPruneKeepsUnreadBatches drops consumers that are gone, and with the last
// one what waits for nobody.
func TestPruneKeepsUnreadBatches(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		if _, ok, err := db.Feed.ClaimCursor(ctx, "c", "me", feed.Now, now.Add(time.Minute), now); err != nil || !ok {
			t.Fatal(ok, err)
		}
		room := testkit.Room(t, db, 1)
		testkit.Say(t, db, testkit.UserID(0), room, "k", "x")
		if err := db.Feed.Prune(ctx, now.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		page, err := db.Feed.Next(ctx, 0, 100)
		if err != nil || len(page.Entries) != 3 {
			t.Fatalf("%d entries, want room.created, a join and a message; %v", len(page.Entries), err)
		}
		if err := db.Feed.Prune(ctx, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if lags, err := db.Feed.Lags(ctx); err != nil || len(lags) != 0 {
			t.Errorf("still there: %v, %v", lags, err)
		}
	})
}
