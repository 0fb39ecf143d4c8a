package hub

import (
	"testing"
	"testing/synctest"
)

// Of two events that are committed one after the other the first, from before somebody joined, may be delivered after
// they are there: news of another node comes late. They are not told of it, and those who were there are.
func TestLateNewsFromBeforeAJoinIsHidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		n := start(t, w)
		w.join("ann", "room")
		ann := n.enter(t, "ann", "room")
		ann.takes()
		w.set(func() { w.lose = true })
		secret := w.say("room")
		w.join("bob", "room")
		st := w.state("room")
		st.Since = secret
		bob := &listener{}
		bob.format = n.f
		bob.Init("bob", bob)
		n.h.Reserve("bob", 0)
		n.h.Add(&bob.Member)
		n.h.Subscribe(t.Context(), &bob.Member, st)
		w.tell("room", secret)
		w.tell("room", secret+1)
		synctest.Wait()
		if got := ann.takes(); len(got) != 2 {
			t.Errorf("who was there got %q", got)
		}
		if got := bob.takes(); len(got) != 1 {
			t.Errorf("who has joined since got %q", got)
		}
	})
}
