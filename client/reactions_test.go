package client_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
)

// fold is what a log of reactions to message 1 comes to: for each emoji who gave it, in order.
func fold(log []client.Event) (emoji []string, users map[string][]string) {
	users = make(map[string][]string)
	for _, e := range log {
		given := slices.DeleteFunc(users[e.Detail.Emoji], func(id string) bool { return id == e.Actor.ID })
		if e.Type == "reaction.added" {
			given = append(given, e.Actor.ID)
		}
		if i := slices.Index(emoji, e.Detail.Emoji); i < 0 {
			emoji = append(emoji, e.Detail.Emoji)
		} else if len(given) == 0 {
			emoji = slices.Delete(emoji, i, i+1)
		}
		users[e.Detail.Emoji] = given
	}
	return emoji, users
}

// view is the message as a server shows it to me after the events of log.
func view(log []client.Event, me string) client.Message {
	m := client.Message{Seq: 1}
	emoji, users := fold(log)
	for _, s := range emoji {
		m.Reactions = append(m.Reactions, client.Reaction{Emoji: s, Count: len(users[s]),
			Users: slices.Clone(users[s][:min(20, len(users[s]))]), Mine: slices.Contains(users[s], me)})
	}
	if len(log) > 0 {
		m.ReactionsSeq = log[len(log)-1].Seq
	}
	return m
}

// Whenever a client loads a message, and from wherever it replays the log over it, it comes to what the log
// folds to: who gives what, how many there are, and whether I am one of them, of more users than are listed.
func TestReactionsConverge(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		var log []client.Event
		given := make(map[string]bool)
		people := 3 + rng.IntN(60)
		for seq := int64(2); seq < 150; seq++ {
			who, emoji := fmt.Sprint("u", rng.IntN(people)), []string{"👍", "🎉", "👀"}[min(rng.IntN(6), 2)]
			e := client.Event{Seq: seq, Type: "reaction.added", Detail: &client.Detail{Of: 1, Emoji: emoji}}
			e.Actor.ID = who
			if given[who+emoji] {
				e.Type = "reaction.removed"
			}
			given[who+emoji] = !given[who+emoji]
			log = append(log, e)
		}
		want := view(log, "u0")
		loaded := rng.IntN(len(log) + 1)
		got := view(log[:loaded], "u0")
		for from := rng.IntN(loaded + 1); from < len(log); from++ {
			client.ApplyReaction(&got, log[from], "u0")
			if rng.IntN(20) == 0 { // the connection breaks, and the client is told again what it has
				from = rng.IntN(from + 1)
			}
		}
		same(t, got, want)
	}
}

func same(t *testing.T, got, want client.Message) {
	t.Helper()
	if got.ReactionsSeq != want.ReactionsSeq || len(got.Reactions) != len(want.Reactions) {
		t.Fatalf("the client has %+v, the log %+v", got, want)
	}
	for i, w := range want.Reactions {
		g := got.Reactions[i]
		if g.Emoji != w.Emoji || g.Count != w.Count || g.Mine != w.Mine || len(g.Users) > 20 {
			t.Fatalf("the client has %+v, the log %+v", g, w)
		}
		if w.Count == len(g.Users) && !slices.Equal(g.Users, w.Users) {
			t.Fatalf("the client lists %v, the log %v", g.Users, w.Users)
		}
	}
}

// What is about another message, or about one that was deleted, changes nothing.
func TestOtherReactionsChangeNothing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, m := range map[string]client.Message{"another": {Seq: 2}, "deleted": {Seq: 1, DeletedAt: &now}} {
		e := client.Event{Seq: 9, Type: "reaction.added", Detail: &client.Detail{Of: 1, Emoji: "👍"}}
		if client.ApplyReaction(&m, e, "u0") || m.Reactions != nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}
