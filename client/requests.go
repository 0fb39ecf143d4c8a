package client

import (
	"context"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

// Send writes a message and returns once it is on the server's disk. It waits
// for a connection, and if one ends meanwhile, sends again on the next, with
// the same key: the message is written once. With an empty key one is made up.
// Only ctx, and the end of l, make it give up without knowing.
func (l *Live) Send(ctx context.Context, d Draft) (s Sent, err error) {
	if d.Key == "" {
		d.Key = newKey()
	}
	err = l.retry(ctx, wire.TypeSend, d, &s)
	return s, err
}

// Edit gives a message of the user's own a new text.
func (l *Live) Edit(ctx context.Context, room string, seq int64, text string) (s Sent, err error) {
	err = l.Request(ctx, wire.TypeEdit, wire.Edit{Room: room, Seq: seq, Text: text}, &s)
	return s, err
}

// Delete deletes a message.
func (l *Live) Delete(ctx context.Context, room string, seq int64) (s Sent, err error) {
	err = l.Request(ctx, wire.TypeDelete, wire.Target{Room: room, Seq: seq}, &s)
	return s, err
}

// MarkRead tells how far the user has read in a room, and returns where the
// mark stands: it never moves back.
func (l *Live) MarkRead(ctx context.Context, room string, seq int64) (m Mark, err error) {
	err = l.retry(ctx, wire.TypeRead, wire.Mark{Room: room, Seq: seq}, &m)
	return m, err
}

// Watch asks to be told of the presence of these users, and of no others, and
// returns it as it is now. It must be repeated at each connection.
func (l *Live) Watch(ctx context.Context, users ...string) ([]Presence, error) {
	var ps wire.Presences
	err := l.Request(ctx, wire.TypeWatch, wire.Watch{Users: users}, &ps)
	return ps.Users, err
}

// SetActive tells whether the person is there, or went away.
func (l *Live) SetActive(ctx context.Context, active bool) error {
	return l.Request(ctx, wire.TypeActivity, wire.Activity{Active: active}, nil)
}

// Typing tells a room that the user is writing. Without a connection it does
// nothing.
func (l *Live) Typing(room string) {
	l.mu.Lock()
	k := l.link
	l.mu.Unlock()
	if k == nil {
		return
	}
	if id, _, err := k.request(wire.TypeTyping, wire.InRoom{Room: room}); err == nil {
		k.forget(id) // it is not answered
	}
}

// Ping asks whether the server is there.
func (l *Live) Ping(ctx context.Context) error { return l.Request(ctx, wire.TypePing, nil, nil) }

// Request sends a request of the protocol, once there is a connection, and
// reads the answer's data into out, which may be nil. If the connection ends
// before the answer, it is not known whether the request was carried out.
func (l *Live) Request(ctx context.Context, typ string, data, out any) error {
	k, err := l.online(ctx)
	if err != nil {
		return err
	}
	id, answer, err := k.request(typ, data)
	if err != nil {
		return err
	}
	select {
	case r := <-answer:
		if r.err != nil || out == nil {
			return r.err
		}
		return l.c.decode(r.data, out)
	case <-ctx.Done():
		k.forget(id)
		return ctx.Err()
	}
}

// retry is Request for what may be sent twice: it goes on until there is an
// answer that is not for want of a connection, a store or of time.
func (l *Live) retry(ctx context.Context, typ string, data, out any) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := l.Request(ctx, typ, data, out)
		var no *Error
		switch {
		case errors.Is(err, errLost):
			continue // online waits for the next connection
		case errors.As(err, &no) && (no.Kind == "unavailable" || no.Kind == "rate_limited"):
			select {
			case <-time.After(max(wait, no.RetryAfter)):
				continue
			case <-ctx.Done():
				return err
			}
		}
		return err
	}
}
