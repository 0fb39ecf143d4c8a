package client

import (
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

// The views of the protocol, which docs/protocol.md describes.
type (
	Event       = wire.Event
	Message     = wire.Message
	Quote       = wire.Quote
	Detail      = wire.Detail
	User        = wire.User
	Profile     = wire.Profile
	Me          = wire.Me
	Room        = wire.Room
	RoomState   = wire.RoomState
	RoomRequest = wire.RoomRequest
	Member      = wire.Member
	Invite      = wire.Invite
	Presence    = wire.Presence
	Mark        = wire.Mark
	Sent        = wire.Sent
	Typing      = wire.Typing
	Left        = wire.Left
	Hello       = wire.Hello
	Replay      = wire.Replay
	Field       = wire.Field
)

// Draft is a message to be written.
type Draft = wire.Send

// Error is what the server says is wrong. Kind is one of a closed set
// ("invalid", "unauthorized", "forbidden", "not_found", "conflict",
// "too_large", "rate_limited", "unavailable", "internal"); Code is narrower.
type Error struct {
	Kind       string
	Code       Code
	Detail     string
	Fields     []Field
	RetryAfter time.Duration // when to try again; 0 says nothing
	Status     int           // of HTTP; 0 on the WebSocket
}

func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("%s (%s)", e.Detail, e.Kind)
	}
	return fmt.Sprintf("%s (%s, %s)", e.Detail, e.Kind, e.Code)
}

func fromBody(b *wire.ErrorBody) *Error {
	return &Error{Kind: b.Kind, Code: b.Code, Detail: b.Detail, Fields: b.Fields,
		RetryAfter: time.Duration(b.RetryAfter * float64(time.Second))}
}
