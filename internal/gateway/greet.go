package gateway

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

const pageRooms = 100 // rooms of a hello, if so many fit in a frame

// greet subscribes c to its rooms and sends hello. Whatever happens meanwhile waits
// in c's queue behind it.
func (g *Service) greet(ctx context.Context, c *conn, u domain.User) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	greeting, err := g.Rooms.Greeting(ctx, u.ID)
	if err != nil {
		c.g.Log.ErrorContext(ctx, "cannot load the rooms of a connection", "err", err)
		c.close(ws.CodeInternal, "your rooms cannot be loaded; come back in a moment", "error", true)
		return
	}
	rooms := make([]wire.RoomState, 0, len(greeting.Rooms))
	for _, st := range greeting.Rooms {
		if st, ok := g.Hub.Subscribe(ctx, &c.member, st); ok {
			rooms = append(rooms, preview(st))
		}
	}
	me := wire.FromMe(u)
	hello := wire.Hello{
		Conn: c.id, Server: g.Version, Me: &me, Heartbeat: int(heartbeat / time.Second), Rooms: rooms,
		Limits: wire.Limits{Frame: wire.MaxFrame, Text: domain.MaxText, PerSecond: float64(g.Limits.MessagesPerSec),
			Replay: domain.MaxReplay},
		Traces: g.Trace != nil, TraceShare: g.TraceShare,
	}
	if u.Kind == domain.KindUser {
		hello.Requests, hello.Blocked = greeting.Requests, greeting.Blocked
	}
	if e := c.who().Expires; !e.IsZero() {
		hello.Expires = &e
	}
	if c.open(pages(hello)...) {
		c.flush()
	}
}

// pages returns hello as frames, each of which is small enough: as many rooms as fit
// in the first, and the others in those that follow, in their order.
func pages(h wire.Hello) (frames [][]byte) {
	rest := h.Rooms
	for most := pageRooms; ; {
		n := min(most, len(rest))
		h.Rooms, h.More = rest[:n], n < len(rest)
		f := encode(wire.Reply{Type: wire.TypeHello, Data: h})
		if len(f) > wire.MaxFrame && n > 1 {
			most = max(n*wire.MaxFrame/len(f)*9/10, 1)
			continue
		}
		frames = append(frames, f)
		if !h.More {
			return frames
		}
		rest, h.Expires, h.Requests, h.Blocked = rest[n:], nil, 0, nil
	}
}
