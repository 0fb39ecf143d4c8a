package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// numbers are the frames of events from one to another.
func numbers(from, to int64) (all []string) {
	for seq := from; seq <= to; seq++ {
		all = append(all, fmt.Sprint(seq))
	}
	return all
}

// gap has the hub miss an event of room, and begin to read the log, which hangs
// until the channel is closed. It returns the number that is missing.
func (n *node) gap(room string) (missing int64, hang chan struct{}) {
	hang = make(chan struct{})
	n.set(func() { n.lose, n.hangs[room] = true, hang })
	missing = n.say(room)
	n.set(func() { n.lose = false })
	n.say(room)
	time.Sleep(reorderWait + time.Millisecond)
	synctest.Wait()
	return missing, hang
}

// While the log of a room cannot be read, everything else goes on, in that room too
// as far as the order permits. Then nothing is lost, doubled or out of order.
func TestLogThatHangsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, newWorld())
		for _, room := range []string{"slow", "other"} {
			n.join("ada", room)
			n.join("lin", room)
		}
		ada := n.enter(t, "ada", "slow", "other")
		missing, hang := n.gap("slow") // 3; 4 waits
		ada.expect(t, "while the log hangs")

		n.say("other")
		ada.expect(t, "in another room", "3")
		if err := n.h.CatchUp(t.Context(), "other", 3); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if n.h.CatchUp(ctx, "slow", 4) == nil {
			t.Error("a room that is behind its log counts as caught up")
		}
		_ = n.bus.Publish(wire.RoomSubject("slow"), []byte(`{"type":"typing"}`+"\nx"))
		ada.expect(t, "a notice", "typing")
		lin := n.enter(t, "lin", "slow") // her snapshot knows 4
		if !n.h.Follows(&lin.Member, "slow") {
			t.Error("nobody can subscribe")
		}
		n.kick("lin", "other")
		ada.expect(t, "somebody leaves", "4")
		n.h.Remove(&lin.Member)
		if n.h.Follows(&lin.Member, "slow") {
			t.Error("nobody can go")
		}

		n.tell("slow", missing)
		n.say("slow")
		ada.expect(t, "the bus brings what was missing", "3", "4", "5")
		close(hang)
		n.say("slow")
		ada.expect(t, "the log is back", "6")
	})
}

// While the log hangs more comes than is held. It is all read in the end.
func TestMoreThanIsHeldWhileTheLogHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, newWorld())
		n.join("ada", "r1")
		ada := n.enter(t, "ada", "r1")
		_, hang := n.gap("r1")
		last := int64(0)
		for range 2*domain.MaxReplay + maxPending {
			last = n.say("r1")
		}
		ada.expect(t, "while the log hangs")
		r := n.h.rooms.get("r1")
		if len(r.pending) > maxPending {
			t.Errorf("%d events are held", len(r.pending))
		}
		close(hang)
		ada.expect(t, "the log is back", numbers(2, last)...)
	})
}

// Many rooms are behind, of which some hang: the others are not kept waiting.
func TestRoomsThatAreBehindTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, newWorld())
		var rooms []string
		for i := range 40 {
			rooms = append(rooms, fmt.Sprint("r", i))
			n.join("ada", rooms[i])
		}
		ada := n.enter(t, "ada", rooms...)
		n.set(func() { n.lose = true })
		hang := make(chan struct{})
		for i, room := range rooms {
			if i < readers-1 {
				n.set(func() { n.hangs[room] = hang })
			}
			n.say(room)
		}
		n.h.CompareSoon()
		if got := ada.takes(); len(got) != len(rooms)-readers+1 {
			t.Errorf("%d of %d rooms were brought up to their heads", len(got), len(rooms))
		}
		close(hang)
		n.h.CatchUpAll(t.Context())
		if got := ada.takes(); len(got) != readers-1 {
			t.Errorf("%d came later, want %d", len(got), readers-1)
		}
	})
}

// Presence asks the store whom somebody who left still shares a room with. Delivery
// does not wait for that.
func TestPresenceThatHangsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.absent = make(chan struct{})
		n := start(t, w)
		n.h.departures.limit = 2
		users := []string{"ada", "lin", "bob", "eve", "kim"}
		for _, user := range users {
			n.join(user, "r1")
		}
		ada := n.enter(t, "ada", "r1")
		var others []*listener
		for _, user := range users[1:] {
			others = append(others, n.enter(t, user, "r1"))
		}
		for i, user := range users[1:] {
			n.kick(user, "r1")
			others[i].expect(t, user, append(numbers(6, int64(6+i)), "kicked r1")...)
		}
		n.say("r1")
		ada.expect(t, "while presence hangs", numbers(6, 10)...)
		w.set(func() {
			// One is being told, two wait; of the fourth it hears without the time to ask.
			if !slices.Equal(w.left, users[4:]) || !slices.Equal(w.hasty, users[4:]) {
				t.Errorf("presence knows of %v, of %v in haste", w.left, w.hasty)
			}
		})
		close(w.absent)
		synctest.Wait()
		if slices.Sort(w.left); !slices.Equal(w.left, []string{"bob", "eve", "kim", "lin"}) {
			t.Errorf("presence was told of %v", w.left)
		}
	})
}

func TestEventsAreEncodedOnceForEachFormat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, newWorld())
		n.join("ada", "r1")
		other := &plain{}
		var all []*listener
		for range 100 {
			all = append(all, n.enter(t, "ada", "r1"), n.enterBy(t, other, "ada", "r1"))
		}
		n.h.Remove(&all[0].Member)
		n.h.Remove(&all[7].Member)
		n.say("r1")
		for i, l := range all {
			if i == 0 || i == 7 {
				l.expect(t, "gone")
				continue
			}
			l.expect(t, "an event", "2")
		}
		if n.f.encoded.Load() != 1 || other.encoded.Load() != 1 {
			t.Errorf("encoded %d and %d times", n.f.encoded.Load(), other.encoded.Load())
		}
		_ = n.bus.Publish(wire.UserSubject("ada"), []byte(`{"type":"read"}`+"\nx"))
		synctest.Wait()
		if n.f.encoded.Load() != 2 || other.encoded.Load() != 2 {
			t.Errorf("what is said to a user was encoded %d and %d times", n.f.encoded.Load()-1, other.encoded.Load()-1)
		}
	})
}

// A member that cannot take an event is ended, and comes back for it. What may be lost
// is left out.
func TestSlowMembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, newWorld())
		n.join("ada", "r1")
		slow, quick := n.enter(t, "ada", "r1"), n.enter(t, "ada", "r1")
		slow.full = true
		_ = n.bus.Publish(wire.RoomSubject("r1"), []byte(`{"type":"typing"}`+"\nx"))
		quick.expect(t, "a notice", "typing")
		if slow.dropped {
			t.Error("a member is ended for a notice")
		}
		n.say("r1")
		quick.expect(t, "an event", "2")
		if !slow.dropped {
			t.Error("a member that has missed an event goes on")
		}
	})
}

// What a room has missed is no longer kept: its members are told to load it again.
func TestEventsThatAreNoLongerKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, newWorld())
		n.join("ada", "r1")
		ada := n.enter(t, "ada", "r1")
		n.set(func() { n.lose = true })
		for range 5 {
			n.say("r1")
		}
		n.set(func() { n.lose, n.floor["r1"] = false, 4 })
		n.h.CompareSoon()
		ada.expect(t, "a gap that cannot be filled", "reset r1")
		n.say("r1")
		ada.expect(t, "then", "7")
	})
}

// What is committed between a member's snapshot and its subscription is found at once.
func TestEventsBeforeTheSubscriptionAreFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, newWorld())
		n.join("ada", "r1")
		st, err := n.RoomState(t.Context(), "ada", "r1")
		if err != nil {
			t.Fatal(err)
		}
		n.say("r1") // nobody listens yet
		ada := n.enter(t, "ada")
		if _, ok := n.h.Subscribe(t.Context(), &ada.Member, st); !ok {
			t.Fatal("not subscribed")
		}
		ada.expect(t, "at once", "2")
	})
}

func TestLostNewsOfJoinsAndDeletions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := start(t, newWorld())
		n.set(func() { n.lose = true })
		ada := n.enter(t, "ada")
		n.join("ada", "r1")
		time.Sleep(compareEvery + time.Millisecond)
		ada.expect(t, "she is in a room now", "joined r1 at 1")
		n.set(func() { delete(n.in, "r1") })
		time.Sleep(compareEvery)
		ada.expect(t, "the room is deleted", "deleted r1")
		n.set(func() {
			if !slices.Equal(n.left, []string{"ada"}) {
				t.Errorf("presence was told that %v left", n.left)
			}
		})
		if n.h.RoomCount() != 0 || ada.Rooms() != 0 {
			t.Errorf("%d rooms are left", n.h.RoomCount())
		}
		if n.h.Remove(&ada.Member); n.h.UserCount() != 0 {
			t.Errorf("%d users are left", n.h.UserCount())
		}
	})
}

// A user's limit counts those who are on their way.
func TestReservations(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := New(Deps{Rooms: w, RoomLog: w, Presence: w, Bus: w.bus})
	var got []string
	for range 3 {
		ok, err := h.Reserve("ada", 2)
		got = append(got, fmt.Sprint(ok, err))
	}
	if strings.Join(got, ", ") != "true <nil>, true <nil>, false <nil>" {
		t.Errorf("got %v", got)
	}
	h.Cancel("ada")
	h.Cancel("ada")
	if h.UserCount() != 0 {
		t.Error("somebody who never came is kept")
	}
}
