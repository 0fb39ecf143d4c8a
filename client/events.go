package client

import (
	"fmt"

	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// take handles a frame.
func (k *link) take(b []byte) error {
	var f inbound
	if err := k.l.c.decode(b, &f); err != nil {
		return fmt.Errorf("the server sent what is not a frame: %w", err)
	}
	switch f.Type {
	case wire.TypeOK, wire.TypeError:
		if f.ID == syncID {
			return k.synced(f)
		}
		k.answered(f)
		return nil
	case wire.TypeHello:
		return then(k, f, k.hello)
	case wire.TypeEvent:
		return then(k, f, k.event)
	case wire.TypeRoomJoined:
		return then(k, f, k.joined)
	case wire.TypeRoomLeft:
		return then(k, f, call(k.l.o.OnLeft))
	case wire.TypeRequested:
		return then(k, f, call(k.l.o.OnAsked))
	case wire.TypeRoomReset:
		return then(k, f, func(in wire.InRoom) { k.reset(in.Room, k.l.high(in.Room)) })
	case wire.TypeIsTyping:
		return then(k, f, call(k.l.o.OnTyping))
	case wire.TypeBlocked:
		return then(k, f, call(k.l.o.OnBlocked))
	case wire.TypeEmojiChanged:
		return then(k, f, call(k.l.o.OnEmoji))
	case wire.TypeReportChanged:
		return then(k, f, call(k.l.o.OnReport))
	case wire.TypeSlashAnswer:
		return then(k, f, call(k.l.o.OnSlash))
	case wire.TypeThread:
		return then(k, f, call(k.l.o.OnThread))
	case wire.TypeReadMoved:
		return then(k, f, call(k.l.o.OnRead))
	case wire.TypePresence:
		return then(k, f, func(ps wire.Presences) {
			for _, p := range ps.Users {
				call(k.l.o.OnPresence)(p)
			}
		})
	}
	if k.l.o.OnOther != nil {
		k.l.o.OnOther(f.Type, f.Data)
	}
	return nil
}

// then decodes the data of a frame and calls do with it.
func then[T any](k *link, f inbound, do func(T)) error {
	var v T
	if err := k.l.c.decode(f.Data, &v); err != nil {
		return fmt.Errorf("the server sent a frame %q that is not understood: %w", f.Type, err)
	}
	do(v)
	return nil
}

// call returns f, or a function that does nothing if f is nil.
func call[T any](f func(T)) func(T) {
	if f == nil {
		return func(T) {}
	}
	return f
}

// hello handles a hello when all its pages are here. The link requests missed events before the
// state becomes Online.
func (k *link) hello(h Hello) {
	if h.Traces {
		k.traces.Store(true)
	}
	if k.first != nil {
		more := h.More
		k.first.Rooms = append(k.first.Rooms, h.Rooms...)
		h, k.first = *k.first, nil
		h.More = more
	}
	if h.More {
		k.first = &h
		return
	}
	for _, st := range h.Rooms {
		if k.l.begin(st.ID, st.Head) {
			call(k.l.o.OnReset)(st.ID)
		}
	}
	if h.Expires != nil && k.l.c.renewable() {
		k.renew(k.token, *h.Expires)
	}
	call(k.l.o.OnHello)(h)
	k.l.mu.Lock()
	k.l.link = k
	k.l.mu.Unlock()
	k.l.setState(Online, nil)
	k.sync()
}

// renewable reports whether the client can get another token.
func (c *Client) renewable() bool {
	return c.Source != nil || c.Tokens().Refresh != ""
}

func (k *link) joined(st RoomState) {
	k.l.join(st.ID, st.Head)
	call(k.l.o.OnJoined)(st)
	k.sync()
}

// event delivers e if it is the next event of its room. If not, it requests the missing events,
// which include e.
func (k *link) event(e Event) {
	switch k.l.advance(e) {
	case isNext:
		call(k.l.o.OnEvent)(e)
	case isAhead:
		k.sync()
	}
}

// reset skips the events up to head, which the server has purged.
func (k *link) reset(room string, head int64) {
	k.l.skip(room, head)
	call(k.l.o.OnReset)(room)
}

// syncID is the id of the link's own sync requests, one at a time. Other requests have numbers.
const syncID = "sync"

// sync requests missed events, if there are any and no sync is in progress.
func (k *link) sync() {
	want := k.l.behind()
	if k.syncing || len(want) == 0 {
		return
	}
	b, err := wire.Encode(struct {
		ID   string    `json:"id"`
		Type string    `json:"type"`
		Data wire.Sync `json:"data"`
	}{syncID, wire.TypeSync, wire.Sync{Rooms: want}})
	if err != nil {
		return
	}
	k.syncing = true
	k.writeFrame(ws.Text, b)
}

// synced delivers missed events and requests the rest.
func (k *link) synced(f inbound) error {
	k.syncing = false
	if f.Error != nil {
		return fromBody(f.Error) // the next connection begins with a sync
	}
	var s wire.Synced
	if err := k.l.c.decode(f.Data, &s); err != nil {
		return fmt.Errorf("the server's answer to sync is not understood: %w", err)
	}
	for _, room := range s.Gone {
		k.l.skip(room, 0)
	}
	for _, r := range s.Rooms {
		if r.Reset {
			k.reset(r.Room, r.Head)
		}
		for _, e := range r.Events {
			if k.l.advance(e) == isNext {
				call(k.l.o.OnEvent)(e)
			}
		}
	}
	k.sync()
	return nil
}
