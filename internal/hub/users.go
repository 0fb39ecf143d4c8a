package hub

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// user has the members of one user, and the subscription to what is said to that
// user.
type user struct {
	id       string
	members  []*Member
	reserved int
	stop     func() // listening to the bus
}

// Reserve makes room for one more member of a user, for which Add or Cancel must be
// called. It reports false if the user has limit members already; 0 is no limit.
// What is said to the user is listened to from now on.
func (h *Hub) Reserve(id string, limit int) (bool, error) {
	s := h.users.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.byID[id]
	if u == nil {
		stop, err := h.Bus.Subscribe(wire.UserSubject(id), func(m bus.Message) { h.onUser(id, m) })
		if err != nil {
			return false, err
		}
		u = &user{id: id, stop: stop}
		s.byID[id] = u
	}
	if limit > 0 && len(u.members)+u.reserved >= limit {
		return false, nil
	}
	u.reserved++
	return true, nil
}

// Cancel undoes Reserve.
func (h *Hub) Cancel(id string) {
	s := h.users.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.byID[id]
	u.reserved--
	tidy(s, u)
}

// Add registers a member for which there is a reservation.
func (h *Hub) Add(m *Member) {
	s := h.users.shard(m.user)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.byID[m.user]
	u.reserved--
	u.members = append(u.members, m)
}

// Remove takes m out of all rooms and forgets it.
func (h *Hub) Remove(m *Member) {
	for _, r := range m.end() {
		r.unsubscribe(m, forGood)
	}
	s := h.users.shard(m.user)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.byID[m.user]
	i := slices.Index(u.members, m)
	u.members = slices.Delete(u.members, i, i+1)
	tidy(s, u)
}

// tidy forgets a user without members.
func tidy(s *shard[*user], u *user) {
	if len(u.members) == 0 && u.reserved == 0 {
		delete(s.byID, u.id)
		u.stop()
	}
}

// MembersOf returns the members of a user.
func (h *Hub) MembersOf(id string) []*Member {
	s := h.users.shard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if u := s.byID[id]; u != nil {
		return slices.Clone(u.members)
	}
	return nil
}

// Members appends to some the members of one of Shards parts.
func (h *Hub) Members(part int, some []*Member) []*Member {
	s := &h.users.parts[part]
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, u := range s.byID {
		some = append(some, u.members...)
	}
	return some
}

// UserCount returns how many users have a member here.
func (h *Hub) UserCount() int { return h.users.count() }

// onUser takes what the bus says to a user: most of it is for all of their members
// as it stands.
func (h *Hub) onUser(id string, m bus.Message) {
	e, err := unpack(m)
	if err == nil {
		switch {
		case domain.EventType(e.Type).Joins():
			var in wire.InRoom
			if err = wire.Decode(e.payload, &in); err == nil {
				h.join(id, in.Room)
			}
		case e.Type == wire.TypeRoomLeft:
			var news struct {
				Data wire.Left `json:"data"`
			}
			if err = json.Unmarshal(e.payload, &news); err == nil {
				h.leave(id, news.Data.Room, e)
			}
		default:
			h.tellUser(id, e)
		}
	}
	if err != nil {
		h.Log.Error("bus message that is not understood", "subject", m.Subject, "err", err)
	}
}

// tellUser passes on what is said to a user, encoded once for each format.
func (h *Hub) tellUser(id string, e event) {
	h.tell(make(map[Format][]byte, 1), h.MembersOf(id), e)
}

// tell passes e on to members. frames has it as it is encoded for their formats.
func (h *Hub) tell(frames map[Format][]byte, members []*Member, e event) {
	for _, m := range members {
		frame, known := frames[m.queue.Format()]
		if !known {
			frame = m.queue.Format().Event(e.Header, e.payload)
			frames[m.queue.Format()] = frame
		}
		h.send(m, frame)
	}
}

// join makes a user's members follow a room, and tells them.
func (h *Hub) join(id, room string) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	st, err := h.Rooms.RoomState(ctx, id, room)
	if err != nil {
		return // gone again already
	}
	for _, m := range h.MembersOf(id) {
		h.subscribe(ctx, m, st, true)
	}
}

// leave takes a user's members out of a room that is gone, and passes the news on.
func (h *Hub) leave(id, room string, e event) {
	for _, m := range h.MembersOf(id) {
		if r := h.rooms.get(room); r != nil {
			r.unsubscribe(m, forGood)
		}
	}
	h.tellUser(id, e)
	h.left(id)
}

const usersAtOnce = 500 // in one question to the store

// onProfile tells those who share a room with somebody what they are called now,
// each member once.
func (h *Hub) onProfile(m bus.Message) {
	e, err := unpack(m)
	if err != nil {
		h.Log.Error("bus message that is not understood", "subject", m.Subject, "err", err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	var here []string
	for _, u := range h.users.all() {
		if u.id != e.Subject { // their own members are told more
			here = append(here, u.id)
		}
	}
	for some := range slices.Chunk(here, usersAtOnce) {
		sharing, err := h.Rooms.SharesRoom(ctx, e.Subject, some)
		if err != nil {
			h.Log.WarnContext(ctx, "cannot tell of a new name", "user", e.Subject, "err", err)
			return
		}
		for _, id := range sharing {
			h.tellUser(id, e)
		}
	}
}

// onNews tells everybody who is connected, encoded once for each format.
func (h *Hub) onNews(m bus.Message) {
	e, err := unpack(m)
	if err != nil {
		h.Log.Error("bus message that is not understood", "subject", m.Subject, "err", err)
		return
	}
	frames := make(map[Format][]byte, 1)
	for part := range Shards {
		h.tell(frames, h.Members(part, nil), e)
	}
}
