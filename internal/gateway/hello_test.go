package gateway

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// inRooms starts a gateway for ada, who is in n rooms, each with a long message.
func inRooms(t *testing.T, rooms int) (n *node, ids []string) {
	w := newWorld()
	for i := range rooms { // before there is a node, which would tell her of each
		id := fmt.Sprintf("room_%026d", i)
		w.join("ada", id)
		ids = append(ids, id)
	}
	return start(t, w, func(d *Deps) { d.Limits.Queue = 128 << 10 }), ids
}

// A user in very many rooms gets them in frames of at most the maximum size, in order and before
// anything else, however slowly they are read. Pages are freed when they are sent.
func TestHelloOfManyRoomsComesInPages(t *testing.T) {
	t.Parallel()
	n, ids := inRooms(t, 5000)
	p := n.dial(t, "ada")
	eventually(t, "it is let in", func() bool { return len(n.g.allConns()) == 1 })
	c := n.g.allConns()[0]
	eventually(t, "it is greeted", func() bool { return !c.waits() })
	if size := c.size(); size > len(ids)<<10 {
		t.Errorf("%d bytes wait for one connection", size)
	}
	n.say("lin", ids[4999], "after hello")
	var got []string
	for more := true; more; {
		time.Sleep(time.Millisecond) // a slow reader
		m, err := p.message()
		if err != nil || m.Op != ws.Text || len(m.Payload) > wire.MaxFrame {
			t.Fatalf("a frame %#x of %d bytes: %v", m.Op, len(m.Payload), err)
		}
		var f struct {
			Type string     `json:"type"`
			Data wire.Hello `json:"data"`
		}
		if err := json.Unmarshal(m.Payload, &f); err != nil || f.Type != wire.TypeHello || f.Data.Me == nil {
			t.Fatalf("%s after %d rooms: %v", f.Type, len(got), err)
		}
		for _, r := range f.Data.Rooms {
			got = append(got, r.ID)
		}
		more = f.Data.More
	}
	if !slices.Equal(got, ids) {
		t.Errorf("%d rooms came, or in another order", len(got))
	}
	if e := p.nextEvent(); e.Message == nil || e.Message.Text != "after hello" {
		t.Errorf("then came %+v", e)
	}
	eventually(t, "nothing is kept", func() bool { return c.size() == 0 })
}

// waits reports whether the first frame of c has not arrived yet.
func (c *conn) waits() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held
}

// A room with the longest name and topic fits into a frame.
func TestPagesFitWhateverRoomsAreLike(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x01", 1000) // six bytes each in JSON
	rooms := make([]wire.RoomState, 500)
	for i := range rooms {
		rooms[i].ID = fmt.Sprint(i)
		if i%7 == 0 {
			rooms[i].Topic = long
		}
	}
	var got []wire.RoomState
	expires := time.Now()
	for i, b := range pages(wire.Hello{Conn: "c", Rooms: rooms, Expires: &expires, Requests: 3}) {
		p := ws.Parser{Client: true, Max: wire.MaxFrame}
		m, _, _, err := p.Next(b)
		var f struct{ Data wire.Hello }
		if err != nil || json.Unmarshal(m.Payload, &f) != nil {
			t.Fatalf("page %d: %v", i, err)
		}
		if first := i == 0; (f.Data.Expires != nil) != first || (f.Data.Requests == 3) != first || f.Data.Conn != "c" {
			t.Errorf("page %d is %+v", i, f.Data)
		}
		if got = append(got, f.Data.Rooms...); f.Data.More != (len(got) < len(rooms)) {
			t.Errorf("page %d says %v", i, f.Data.More)
		}
	}
	if !slices.EqualFunc(got, rooms, func(a, b wire.RoomState) bool { return a.ID == b.ID }) {
		t.Errorf("%d rooms came, or in another order", len(got))
	}
	if one := pages(wire.Hello{Rooms: []wire.RoomState{}}); len(one) != 1 {
		t.Errorf("somebody in no room is greeted %d times", len(one))
	}
}

func TestClientGathersHello(t *testing.T) {
	t.Parallel()
	n, ids := inRooms(t, 1000)
	hellos, events := make(chan client.Hello, 10), make(chan client.Event, 10)
	l := n.as("ada/s1/1h").Live(t.Context(), client.LiveOptions{
		OnHello: func(h client.Hello) { hellos <- h },
		OnEvent: func(e client.Event) { events <- e },
	})
	defer l.Close()
	if err := l.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := <-hellos
	if len(h.Rooms) != len(ids) || h.More || h.Expires == nil || len(hellos) > 0 {
		t.Errorf("hello names %d rooms, more: %v, expires %v, and %d follow", len(h.Rooms), h.More, h.Expires, len(hellos))
	}
	n.say("lin", ids[999], "to the last room")
	if e := <-events; e.Room != ids[999] {
		t.Errorf("an event of %s", e.Room)
	}
}
