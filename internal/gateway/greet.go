package gateway

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

const (
	previewLength = 300 // bytes of the last message of each room in hello
	pageRooms     = 100 // rooms of a hello, if so many fit in a frame
)

// greet makes c a member of its rooms' hubs and sends hello. Whatever happens
// meanwhile waits in c's queue behind it.
func (g *Service) greet(c *conn, u domain.User) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	states, err := g.Rooms.RoomStates(ctx, u.ID)
	if err != nil {
		g.Logger.Error("cannot load the rooms of a connection", "user", u.ID, "error", err)
		c.close(ws.CodeInternal, "your rooms cannot be loaded; come back in a moment", "error", true)
		return
	}
	rooms := make([]wire.RoomState, 0, len(states))
	var fresh []*room
	for _, st := range states {
		st, r, isNew, ok := g.enter(ctx, c, st, false)
		if isNew {
			fresh = append(fresh, r)
		}
		if ok {
			rooms = append(rooms, preview(st))
		}
	}
	me := wire.FromMe(u)
	hello := wire.Hello{
		Conn: c.id, Server: g.Version, Me: &me, Heartbeat: int(heartbeat / time.Second), Rooms: rooms,
		Limits: wire.Limits{Frame: wire.MaxFrame, Text: domain.MaxText, PerSecond: float64(g.Limits.MessagesPerSec), Replay: domain.MaxReplay},
	}
	if u.Kind == domain.KindUser {
		if hello.Requests, err = g.Rooms.RequestsWaiting(ctx, u.ID); err != nil {
			g.Logger.Warn("cannot count what a user is asked", "user", u.ID, "error", err)
		}
	}
	if e := c.who().Expires; !e.IsZero() {
		hello.Expires = &e
	}
	if c.open(pages(hello)...) {
		c.flush()
	}
	g.checkTails(ctx, fresh)
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
		rest, h.Expires, h.Requests = rest[n:], nil, 0
	}
}

// enter attaches c to the hub of a room with the snapshot st. A snapshot that
// is older than what the hub has delivered is loaded again: see room. With
// tell, c gets the room as a frame.
func (g *Service) enter(ctx context.Context, c *conn, st domain.RoomState, tell bool) (_ domain.RoomState, r *room, fresh, ok bool) {
	id := st.Room.ID
	for {
		var isNew bool
		var err error
		if r, isNew, err = g.rooms.open(id); err != nil {
			g.Logger.Error("cannot listen to a room", "room", id, "error", err)
			return st, nil, false, false
		}
		fresh = fresh || isNew
		var frame []byte
		if tell {
			frame = encode(wire.Reply{Type: wire.TypeRoomJoined, Data: preview(st)})
		}
		switch r.attach(c, st.Room.Head, frame) {
		case isIn, wasIn:
			return st, r, fresh, true
		case hasLeft:
			g.rooms.closeIfEmpty(r)
			return st, r, false, false
		case closed:
			continue
		}
		if st, err = g.Rooms.RoomState(ctx, c.user.ID, id); err != nil {
			g.rooms.closeIfEmpty(r)
			if domain.KindOf(err) == domain.Internal {
				g.Logger.Error("cannot load a room", "room", id, "error", err)
			}
			return st, r, false, false
		}
	}
}

// preview is a room for a list: its last message is cut to the start.
func preview(st domain.RoomState) wire.RoomState {
	v := wire.FromRoomState(st)
	if v.Last != nil && len(v.Last.Text) > previewLength {
		end := previewLength
		for !utf8.RuneStart(v.Last.Text[end]) {
			end--
		}
		v.Last.Text = v.Last.Text[:end] + "…"
	}
	return v
}

// subscribeUser listens to what is said to one user.
func (g *Service) subscribeUser(user string) (func(), error) {
	return g.Bus.Subscribe(wire.UserSubject(user), func(m bus.Message) { g.onUser(user, m) })
}

// onUser takes what the bus says to a user: most of it is for all of their
// connections as it stands.
func (g *Service) onUser(user string, m bus.Message) {
	h, frame, err := wire.Unpack(m.Data)
	if err != nil {
		g.Logger.Error("bus message that is not understood", "subject", m.Subject, "error", err)
		return
	}
	switch {
	case domain.EventType(h.Type).Joins():
		var in wire.InRoom
		if err := wire.Decode(frame, &in); err != nil {
			g.Logger.Error("bus message that is not understood", "subject", m.Subject, "error", err)
			return
		}
		g.join(user, in.Room)
	case h.Type == wire.TypeRoomLeft:
		g.leave(user, frame)
	default:
		g.tellUser(user, frame)
	}
}

func (g *Service) tellUser(user string, frame []byte) {
	framed := ws.AppendFrame(nil, ws.Text, frame)
	for _, c := range g.conns.ofUser(user) {
		c.push(framed)
	}
}

// join makes a user's connections members of a room's hub, and tells them.
func (g *Service) join(user, id string) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	st, err := g.Rooms.RoomState(ctx, user, id)
	if err != nil {
		return // gone again already
	}
	var fresh []*room
	for _, c := range g.conns.ofUser(user) {
		if _, r, isNew, _ := g.enter(ctx, c, st, true); isNew {
			fresh = append(fresh, r)
		}
	}
	g.checkTails(ctx, fresh)
}

// leave takes a user's connections out of a room that is gone, and passes the
// news on.
func (g *Service) leave(user string, frame []byte) {
	var news struct {
		Data wire.Left `json:"data"`
	}
	if err := decodeLoose(frame, &news); err != nil {
		g.Logger.Error("bus message that is not understood", "user", user, "error", err)
		return
	}
	framed := ws.AppendFrame(nil, ws.Text, frame)
	for _, c := range g.conns.ofUser(user) {
		if r := g.rooms.get(news.Data.Room); r != nil {
			r.detach(c, forGood)
		}
		c.push(framed)
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	g.Presence.Left(ctx, user)
}
