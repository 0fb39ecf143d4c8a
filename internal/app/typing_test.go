package app_test

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A room is told that somebody writes only where they may: not while they are muted,
// nor while the room is archived.
func TestTypingIsToldOfThoseWhoMayWrite(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		made, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "public", Name: "Den"})
		must(t, err)
		room := "/rooms/" + made.ID
		types := func(name string, change func(c *client.Client)) {
			t.Helper()
			c := s.User(name)
			must(t, c.Do(t.Context(), "POST", room+"/join", nil, nil))
			change(c)
			l := listen(t, c)
			l.Typing(made.ID)
			must(t, l.Ping(t.Context())) // the notice has been dealt with
		}
		heard := listen(t, ann)
		types("bob", func(bob *client.Client) {
			muted := map[string]any{"muted_until": time.Now().Add(time.Hour)}
			must(t, ann.Do(t.Context(), "PATCH", room+"/members/"+id(t, bob), muted, nil))
		})
		types("cy", func(*client.Client) {
			must(t, ann.Do(t.Context(), "PATCH", room, map[string]any{"archived": true}, nil))
		})
		must(t, ann.Do(t.Context(), "PATCH", room, map[string]any{"archived": false}, nil))
		types("dee", func(*client.Client) {})
		told := func() int { heard.mu.Lock(); defer heard.mu.Unlock(); return heard.typing }
		wait(t, func() bool { return told() > 0 })
		if n := told(); n != 1 {
			t.Errorf("%d people are shown as typing, and one may write", n)
		}
	})
}
