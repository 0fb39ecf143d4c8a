package gateway

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	maxSyncRooms = 1000
	syncBytes    = wire.MaxFrame - 8<<10 // of events and rooms in one answer
	roomBytes    = 160                   // of a room in it, without its events
)

// sync answers with what came after the client's last event in each room. What
// does not fit in one frame is left for another request: More says so, of a room or
// of rooms that were not looked at.
func (c *conn) sync(ctx context.Context, want wire.Sync) (any, error) {
	if len(want.Rooms) > maxSyncRooms {
		return nil, domain.InvalidField("/rooms", "at most %d rooms at once", maxSyncRooms)
	}
	answer := wire.Synced{Rooms: []wire.Replay{}}
	left := budget{events: domain.MaxReplay, bytes: syncBytes}
	var ids []string
	for id := range want.Rooms {
		switch {
		case len(id) > maxID: // as long as an answer may repeat
			return nil, domain.InvalidField("/rooms", "%.40q is no room", id)
		case c.g.Hub.Follows(&c.member, id):
			ids = append(ids, id)
		default:
			answer.Gone = append(answer.Gone, id)
			left.bytes -= len(id) + 3
		}
	}
	slices.Sort(ids)
	slices.Sort(answer.Gone)
	if most := max(left.bytes/2/roomBytes, 1); len(ids) > most { // the other half is for events
		ids, answer.More = ids[:most], true
	}
	left.bytes -= len(ids) * roomBytes
	heads, err := c.g.RoomLog.Heads(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		head, ok := heads[id]
		if ok { // if the bus has lost that c's user was removed, it shows now
			if err := c.g.Hub.CatchUp(ctx, id, head); err != nil {
				return nil, domain.Unavailable.Errorf(domain.CodeBehind,
					"the server cannot read what this room missed just now; try again").
					After(time.Second).Because(err)
			}
		}
		v, follows := c.g.Hub.ViewOf(&c.member, id)
		if !ok || !follows {
			answer.Gone = append(answer.Gone, id)
			continue
		}
		rep, err := c.g.replay(ctx, v, want.Rooms[id], head, &left)
		if err != nil {
			return nil, err
		}
		if rep.More && left.events == domain.MaxReplay { // its next event needs a frame of its own
			alone := budget{events: 1, bytes: wire.MaxFrame}
			rep, err = c.g.replay(ctx, v, want.Rooms[id], head, &alone)
			return wire.Synced{Rooms: []wire.Replay{rep}, More: true}, err
		}
		answer.Rooms = append(answer.Rooms, rep)
	}
	return answer, nil
}

// budget is what one answer may still hold.
type budget struct{ events, bytes int }

func (g *Service) replay(
	ctx context.Context, in domain.View, after, head int64, left *budget,
) (wire.Replay, error) {
	rep := wire.Replay{Room: in.Room, Events: []wire.Event{}, Head: head}
	switch {
	case after < 0 || after > head:
		rep.Reset = true // numbers that this log never gave
		return rep, nil
	case after == head:
		return rep, nil
	case left.events == 0 || left.bytes <= 0:
		rep.More = true
		return rep, nil
	}
	events, err := g.RoomLog.Replay(ctx, in, after, left.events)
	if err != nil {
		return rep, err
	}
	if len(events) == 0 || events[0].Seq != after+1 {
		rep.Reset, rep.Floor = true, in.Since
		return rep, nil
	}
	for _, e := range events {
		if e.Seq > head {
			break // what has happened since may be a removal
		}
		v := wire.FromEvent(e)
		b, err := json.Marshal(v)
		if err != nil {
			return rep, err
		}
		if left.bytes -= len(b) + 1; left.bytes < 0 {
			left.bytes = 0
			break
		}
		left.events--
		rep.Events = append(rep.Events, v)
	}
	if n := len(rep.Events); n == 0 || rep.Events[n-1].Seq < head {
		rep.More = true
	}
	return rep, nil
}
