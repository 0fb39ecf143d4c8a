package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

func TestHelloThenEvents(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	ada, h := n.enter(t, "ada")
	if len(h.Rooms) != 1 || h.Rooms[0].ID != "r1" || h.Rooms[0].Head != 1 || h.Me.Username != "ada" || h.Server != "test" {
		t.Fatalf("hello is %+v", h)
	}
	n.say("lin", "r1", "hello")
	if e := ada.nextEvent(); e.Seq != 2 || e.Message.Text != "hello" {
		t.Fatalf("got %+v", e)
	}
	var sent wire.Sent
	ada.ask(wire.TypeSend, wire.Send{Room: "r1", Key: "k1", Text: "hi"}, &sent)
	if sent.Seq != 3 || sent.Message.Text != "hi" {
		t.Fatalf("the acknowledgement is %+v", sent)
	}
}

// TestNothingIsLostAtTheStart connects while messages are written: the live events continue where
// hello ends.
func TestNothingIsLostAtTheStart(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	const last = 400
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 2; i <= last; i++ {
			n.say("lin", "r1", fmt.Sprint(i))
		}
	})
	for range 20 {
		wg.Go(func() {
			p, h := n.enter(t, "ada")
			at := h.Rooms[0].Head
			for at < last {
				e := p.nextEvent()
				if e.Seq > at+1 {
					t.Errorf("event %d came after %d", e.Seq, at)
					return
				}
				at = max(at, e.Seq)
			}
		})
	}
	wg.Wait()
}

func TestGapIsReadFromTheLog(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	ada, _ := n.enter(t, "ada")
	n.set(func(w *world) { w.lose = true })
	for i := range 700 { // more than one page of the log
		n.say("lin", "r1", fmt.Sprint(i))
	}
	n.set(func(w *world) { w.lose = false })
	n.say("lin", "r1", "seen")
	for want := int64(2); want <= 702; want++ {
		if e := ada.nextEvent(); e.Seq != want {
			t.Fatalf("got event %d, want %d", e.Seq, want)
		}
	}
}

func TestLostTailIsFound(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	ada, _ := n.enter(t, "ada")
	n.set(func(w *world) { w.lose = true })
	n.say("lin", "r1", "lost on the bus")
	n.g.Hub.CompareSoon() // not to wait for three seconds
	if e := ada.nextEvent(); e.Seq != 2 {
		t.Fatalf("got event %d, want 2", e.Seq)
	}
}

func TestStoreFailureAtAGapIsMadeGood(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	ada, _ := n.enter(t, "ada")
	n.set(func(w *world) { w.lose = true })
	n.say("lin", "r1", "lost")
	n.set(func(w *world) { w.lose, w.fail = false, errors.New("the disk is away") })
	n.say("lin", "r1", "shows the gap")
	n.set(func(w *world) { w.fail = nil })
	n.g.Hub.CompareSoon()
	for want := int64(2); want <= 3; want++ {
		if e := ada.nextEvent(); e.Seq != want {
			t.Fatalf("got event %d, want %d", e.Seq, want)
		}
	}
}

func TestJoinAndKickWhileConnected(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	ada, _ := n.enter(t, "ada")
	lin, h := n.enter(t, "lin")
	if len(h.Rooms) != 0 {
		t.Fatalf("lin is in %v", h.Rooms)
	}
	n.join("lin", "r1")
	var st wire.RoomState
	lin.expect(wire.TypeRoomJoined, &st)
	n.say("ada", "r1", "welcome")
	at := st.Head
	for at < 3 {
		e := lin.nextEvent()
		if e.Seq > at+1 {
			t.Fatalf("event %d came after %d", e.Seq, at)
		}
		at = max(at, e.Seq)
	}
	n.kick("lin", "r1")
	if e := lin.nextEvent(); e.Type != string(domain.MemberKicked) {
		t.Fatalf("got %+v", e)
	}
	var left wire.Left
	lin.expect(wire.TypeRoomLeft, &left)
	if left != (wire.Left{Room: "r1", Reason: "kicked"}) {
		t.Fatalf("got %+v", left)
	}
	n.say("ada", "r1", "she is gone")
	lin.ask(wire.TypePing, nil, nil)
	for _, want := range []int64{2, 3, 4, 5} {
		if e := ada.nextEvent(); e.Seq != want {
			t.Fatalf("ada got event %d, want %d", e.Seq, want)
		}
	}
	var s wire.Synced
	lin.ask(wire.TypeSync, wire.Sync{Rooms: map[string]int64{"r1": 1}}, &s)
	if len(s.Rooms) != 0 || len(s.Gone) != 1 {
		t.Fatalf("someone who was kicked can sync: %+v", s)
	}
}

// TestLostJoinIsFound: the bus loses the news that someone is now a member, of a
// room that nobody here was in. Their connection hears of it all the same.
func TestLostJoinIsFound(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	lin, _ := n.enter(t, "lin")
	n.set(func(w *world) { w.lose = true })
	n.join("lin", "r1")
	var st wire.RoomState
	lin.expect(wire.TypeRoomJoined, &st)
	if st.ID != "r1" || st.Head != 1 {
		t.Errorf("got %+v", st)
	}
	n.set(func(w *world) { w.lose = false })
	n.say("lin", "r1", "here I am")
	if e := lin.nextEvent(); e.Seq != 2 {
		t.Errorf("got %+v", e)
	}
}

// TestSyncAfterALostKick: the bus loses the news that someone was removed. What was
// written since is not theirs to read, not even for a moment, and not if the store
// cannot tell of the removal.
func TestSyncAfterALostKick(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	n.join("lin", "r1")
	lin, _ := n.enter(t, "lin")
	n.set(func(w *world) { w.lose, w.blind = true, errors.New("away for a moment") })
	n.kick("lin", "r1")
	n.say("ada", "r1", "she is gone")
	want := wire.Sync{Rooms: map[string]int64{"r1": 1}}
	if e := lin.refused(wire.TypeSync, want); e.Kind != "unavailable" {
		t.Errorf("a room that cannot be brought up to its head is synced: %+v", e)
	}
	n.set(func(w *world) { w.blind = nil })
	var s wire.Synced
	lin.ask(wire.TypeSync, want, &s)
	if len(s.Rooms) != 0 || len(s.Gone) != 1 {
		t.Errorf("someone who was removed can sync: %+v", s)
	}
}

// While the log of one room cannot be read, others are synced, and requests are answered.
func TestSyncWhileALogHangs(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "slow")
	n.join("ada", "r1")
	ada, _ := n.enter(t, "ada")
	hang := make(chan struct{})
	n.set(func(w *world) { w.lose, w.hang = true, hang })
	n.say("lin", "slow", "lost")
	n.set(func(w *world) { w.lose = false })
	n.say("lin", "slow", "shows the gap")
	n.say("lin", "r1", "in another room")
	if e := ada.nextEvent(); e.Room != "r1" {
		t.Fatalf("got %+v", e)
	}
	ada.ask(wire.TypeSend, wire.Send{Room: "slow", Key: "k", Text: "on"}, nil)
	var s wire.Synced
	ada.ask(wire.TypeSync, wire.Sync{Rooms: map[string]int64{"r1": 1}}, &s)
	if len(s.Rooms) != 1 || len(s.Rooms[0].Events) != 1 {
		t.Errorf("got %+v", s)
	}
	close(hang)
	for want := int64(2); want <= 4; want++ {
		if e := ada.nextEvent(); e.Room != "slow" || e.Seq != want {
			t.Fatalf("got event %d of %s, want %d", e.Seq, e.Room, want)
		}
	}
}

// TestReturnBeforeTheDepartureIsHeardOf: the news that someone was kicked may
// reach the hub after they have come back with a snapshot that knows better.
func TestReturnBeforeTheDepartureIsHeardOf(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	n.join("lin", "r1")
	ada, _ := n.enter(t, "ada")
	n.set(func(w *world) { w.lose = true })
	n.kick("lin", "r1")
	n.join("lin", "r1")
	lin, h := n.enter(t, "lin") // the hub has not heard of either
	n.set(func(w *world) { w.lose = false })
	n.say("ada", "r1", "so there you are")
	for at := h.Rooms[0].Head; at < 5; {
		f := lin.frame()
		if f.Type == wire.TypeRoomLeft {
			t.Fatal("expelled for a departure before the return")
		}
		var e wire.Event
		if err := json.Unmarshal(f.Data, &e); err != nil {
			t.Fatal(err)
		}
		at = max(at, e.Seq)
	}
	for _, want := range []int64{3, 4, 5} {
		if e := ada.nextEvent(); e.Seq != want {
			t.Fatalf("ada got event %d, want %d", e.Seq, want)
		}
	}
}

func TestDeletedRoomIsFoundInTheLog(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	ada, _ := n.enter(t, "ada")
	n.set(func(w *world) { delete(w.in, "r1"); delete(w.logs, "r1") })
	n.g.Hub.CompareSoon()
	var left wire.Left
	ada.expect(wire.TypeRoomLeft, &left)
	if left.Reason != "deleted" {
		t.Fatalf("got %+v", left)
	}
	eventually(t, "the room ends", func() bool { return n.g.Hub.RoomCount() == 0 })
}

func TestSync(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	n.join("ada", "r2")
	for i := range 600 {
		n.say("lin", "r1", fmt.Sprint(i))
	}
	ada, _ := n.enter(t, "ada")
	var got int64 = 1
	for more := true; more; {
		var s wire.Synced
		ada.ask(wire.TypeSync, wire.Sync{Rooms: map[string]int64{"r1": got, "r2": 1, "r9": 4}}, &s)
		if len(s.Gone) != 1 || s.Gone[0] != "r9" || len(s.Rooms) != 2 {
			t.Fatalf("got %+v", s)
		}
		for _, e := range s.Rooms[0].Events {
			if e.Seq != got+1 {
				t.Fatalf("event %d came after %d", e.Seq, got)
			}
			got = e.Seq
		}
		more = s.Rooms[0].More
	}
	if got != 601 {
		t.Fatalf("synced up to %d, want 601", got)
	}
	var s wire.Synced
	ada.ask(wire.TypeSync, wire.Sync{Rooms: map[string]int64{"r1": 5000}}, &s)
	if !s.Rooms[0].Reset {
		t.Fatalf("a number that the log never gave: got %+v", s)
	}
}

// However many rooms are requested, the answer fits in a frame, and the remaining rooms can be
// requested until all are synced.
func TestSyncOfManyRoomsFitsInFrames(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	want, left := map[string]int64{}, map[string]bool{}
	for i := range maxSyncRooms {
		room := fmt.Sprintf("room_%026d", i)
		n.join("ada", room)
		n.say("lin", room, strings.Repeat("x", 100))
		if i%300 == 7 {
			n.say("lin", room, strings.Repeat("\x01", 8<<10)) // 48 KiB as JSON
		}
		want[room], left[room] = 1, true
	}
	ada, _ := n.enter(t, "ada")
	for asked := 0; len(want) > 0; asked++ {
		if asked > 100 {
			t.Fatalf("%d rooms are left after %d answers", len(want), asked)
		}
		id := ada.request(wire.TypeSync, wire.Sync{Rooms: want})
		m, err := ada.message()
		for err == nil && m.Op == ws.Ping {
			m, err = ada.message()
		}
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			ID   string      `json:"id"`
			Data wire.Synced `json:"data"`
		}
		if err := json.Unmarshal(m.Payload, &f); err != nil || f.ID != id || len(m.Payload) > wire.MaxFrame {
			t.Fatalf("an answer of %d bytes: %v", len(m.Payload), err)
		}
		for _, r := range f.Data.Rooms {
			for _, e := range r.Events {
				want[r.Room] = e.Seq
			}
			if !r.More {
				delete(want, r.Room)
			}
		}
		if !f.Data.More && len(f.Data.Rooms) == 0 {
			t.Fatal("an answer without rooms")
		}
	}
}

func TestRoomsEndWithTheirMembers(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	ada, _ := n.enter(t, "ada")
	if n.g.Hub.RoomCount() != 1 || n.g.Hub.UserCount() != 1 {
		t.Fatalf("%d rooms, %d users", n.g.Hub.RoomCount(), n.g.Hub.UserCount())
	}
	_ = ada.nc.Close()
	eventually(t, "everything is forgotten", func() bool {
		return n.g.Hub.RoomCount() == 0 && n.g.Hub.UserCount() == 0 && n.g.conns.count.Load() == 0 &&
			n.g.conns.addrs.Len() == 0
	})
}
