package messages_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
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
	switch p := e.Payload.(type) {
	case domain.ReactionAddedPayload:
		l.react(e, p.Of, p.Emoji, false)
	case domain.ReactionRemovedPayload:
		l.react(e, p.Of, p.Emoji, true)
	}
}

// react applies a reaction, as docs/protocol.md says, to a message that is not newer.
func (l lines) react(e domain.Event, of int64, emoji string, remove bool) {
	m, ok := l[of]
	if !ok || !m.DeletedAt.IsZero() || m.Reactions.Seq >= e.Seq {
		return
	}
	all := slices.Clone(m.Reactions.All)
	i := slices.IndexFunc(all, func(r domain.Reaction) bool { return r.Emoji == emoji })
	if i < 0 {
		all, i = append(all, domain.Reaction{Emoji: emoji}), len(all)
	}
	r := all[i]
	r.Users = slices.DeleteFunc(slices.Clone(r.Users), func(id string) bool { return id == e.Actor.ID })
	if !remove {
		r.Users = append(r.Users, e.Actor.ID)
	}
	r.Count = len(r.Users)
	if all[i] = r; r.Count == 0 {
		all = slices.Delete(all, i, i+1)
	}
	if len(all) == 0 {
		all = nil
	}
	m.Reactions = domain.Reactions{Seq: e.Seq, All: all}
	l[of] = m
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
		for i := range 240 {
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
			case len(mine[0]) > 0 && rng.IntN(3) > 0:
				_, _, err := db.Messages.React(ctx, testkit.UserID(u), domain.Reacting{Room: room,
					Seq:   mine[0][rng.IntN(len(mine[0]))],
					Emoji: []string{"👍", "🎉", "👀"}[rng.IntN(3)], Remove: rng.IntN(3) == 0}, time.Now())
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
		page, err := db.Log.Timeline(ctx, domain.WholeLog(room), domain.PageQuery{Limit: 200})
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
	events, err := db.Log.Replay(t.Context(), domain.WholeLog(room), after, 1000)
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
