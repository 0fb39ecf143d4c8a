package client

import (
	"context"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

// Send sends a message and returns once it is durable on the server. It waits for a connection. If
// the connection ends before the response, it sends the message again with the same key, so that it
// is stored once. If d.Key is empty, Send generates one. If ctx or l ends first, Send returns an
// error and the message may or may not be stored.
func (l *Live) Send(ctx context.Context, d Draft) (s Sent, err error) {
	if d.Key == "" {
		d.Key = newKey()
	}
	err = l.retry(ctx, wire.TypeSend, d, &s)
	return s, err
}

// Edit changes the text of one of the user's own messages.
func (l *Live) Edit(ctx context.Context, room string, seq int64, text string) (s Sent, err error) {
	err = l.Request(ctx, wire.TypeEdit, wire.Edit{Room: room, Seq: seq, Text: text}, &s)
	return s, err
}

// Delete deletes a message.
func (l *Live) Delete(ctx context.Context, room string, seq int64) (s Sent, err error) {
	err = l.Request(ctx, wire.TypeDelete, wire.Target{Room: room, Seq: seq}, &s)
	return s, err
}

// MarkRead moves the user's read mark in a room, and returns it. A mark never moves back.
func (l *Live) MarkRead(ctx context.Context, room string, seq int64) (m Mark, err error) {
	err = l.retry(ctx, wire.TypeRead, wire.Mark{Room: room, Seq: seq}, &m)
	return m, err
}

// Watch subscribes to the presence of these users and no others, and returns it. It must be
// repeated after each reconnection.
func (l *Live) Watch(ctx context.Context, users ...string) ([]Presence, error) {
	var ps wire.Presences
	err := l.Request(ctx, wire.TypeWatch, wire.Watch{Users: users}, &ps)
	return ps.Users, err
}

// SetActive says whether the user is active or away.
func (l *Live) SetActive(ctx context.Context, active bool) error {
	return l.Request(ctx, wire.TypeActivity, wire.Activity{Active: active}, nil)
}

// Typing tells a room that the user is typing. Without a connection it does nothing.
func (l *Live) Typing(room string) {
	l.mu.Lock()
	k := l.link
	l.mu.Unlock()
	if k == nil {
		return
	}
	if id, _, err := k.request(context.Background(), wire.TypeTyping, wire.InRoom{Room: room}); err == nil {
		k.forget(id) // it has no response
	}
}

// Ping checks that the server responds.
func (l *Live) Ping(ctx context.Context) error { return l.Request(ctx, wire.TypePing, nil, nil) }

// Request waits for a connection, sends a request of the protocol, and decodes the data of the
// response into out, which may be nil. If the connection ends before the response, the request may
// or may not have been executed.
func (l *Live) Request(ctx context.Context, typ string, data, out any) error {
	k, err := l.online(ctx)
	if err != nil {
		return err
	}
	id, answer, err := k.request(ctx, typ, data)
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

// retry is Request for idempotent requests. It repeats the request after lost connections, and after
// unavailable and rate_limited errors.
func (l *Live) retry(ctx context.Context, typ string, data, out any) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := l.Request(ctx, typ, data, out)
		var no *Error
		switch {
		case errors.Is(err, errLost):
			continue // Request waits for the next connection
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
