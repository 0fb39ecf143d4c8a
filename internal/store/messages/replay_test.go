package messages_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// lines is the state of a client: the present messages by number.
type lines map[int64]domain.Message

// apply applies an event to the state, as clients do.
func (l lines) apply(e domain.Event) {
	if e.Message != nil {
		l[e.Message.Seq] = *e.Message
	}
}

// A client that replays the log from any number has the same state as one that replays all of it, and
// as the timeline.
func TestReplayFromAnyPointGivesTheSameState(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 1))
		ctx := t.Context()
		room := testkit.Room(t, db, 3)
		var mine [3][]int64
		moments := map[int64]lines{} // what a client had loaded by then
		for i := range 120 {
			u := rng.IntN(3)
			switch n := len(mine[u]); {
			case n > 0 && rng.IntN(3) == 0:
				seq := mine[u][rng.IntN(n)]
				_, err := db.Messages.EditMessage(ctx, testkit.UserID(u), room, seq, fmt.Sprint("edit ", i), nil, false, time.Now())
				if err != nil && domain.CodeOf(err) != domain.CodeMessageDeleted {
					t.Fatal(err)
				}
			case n > 0 && rng.IntN(6) == 0:
				_, err := db.Messages.DeleteMessage(ctx, testkit.UserID(u), room, mine[u][rng.IntN(n)], time.Now())
				if err != nil && domain.CodeOf(err) != domain.CodeMessageDeleted {
					t.Fatal(err)
				}
			default:
				mine[u] = append(mine[u], testkit.Say(t, db, testkit.UserID(u), room, fmt.Sprint("k", i),
					fmt.Sprint("message ", i)).Seq)
			}
			if rng.IntN(10) == 0 {
				at := replay(t, db, room, 0, lines{})
				moments[head(t, db, room)] = at
			}
		}
		want := replay(t, db, room, 0, lines{})
		page, err := db.Log.Timeline(ctx, room, domain.PageQuery{Limit: 200})
		if err != nil {
			t.Fatal(err)
		}
		shown := lines{}
		for _, e := range page.Events {
			shown.apply(e)
		}
		if !reflect.DeepEqual(shown, want) {
			t.Error("the timeline is not what the replay leads to")
		}
		for after, had := range moments {
			if got := replay(t, db, room, after, had); !reflect.DeepEqual(got, want) {
				t.Errorf("replaying from %d leads elsewhere", after)
			}
		}
	})
}

func replay(t *testing.T, db *all.Store, room string, after int64, l lines) lines {
	t.Helper()
	events, err := db.Log.Replay(t.Context(), room, after, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Seq != after+int64(i)+1 {
			t.Fatalf("event %d after %d", e.Seq, after+int64(i))
		}
		l.apply(e)
	}
	return l
}

func head(t *testing.T, db *all.Store, room string) int64 {
	t.Helper()
	r, err := db.Rooms.Room(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	return r.Head
}
