package client

import (
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

// Types of the protocol; see docs/protocol.md.
type (
	Event       = wire.Event
	Message     = wire.Message
	Quote       = wire.Quote
	Reaction    = wire.Reaction
	LinkPreview = wire.LinkPreview
	Reacted     = wire.Reacted
	Pin         = wire.Pin
	PinChanged  = wire.PinChanged
	Forward     = wire.Forward
	Poll        = wire.Poll
	PollChoice  = wire.PollChoice
	PollNow     = wire.PollNow
	PollVotes   = wire.PollVotes
	Saved       = wire.Saved
	StoredDraft = wire.Draft

	OwnReport       = wire.OwnReport
	ReportedMessage = wire.ReportedMessage
	ReportChanged   = wire.ReportChanged

	CustomEmoji  = wire.CustomEmoji
	EmojiChanged = wire.EmojiChanged

	UserGroup        = wire.UserGroup
	UserGroupMembers = wire.UserGroupMembers

	RoomSections = wire.RoomSections
	RoomSection  = wire.RoomSection
	RoomGroup    = wire.RoomGroup
	Scheduled    = wire.Scheduled
	Reminder     = wire.Reminder
	Repeat       = wire.Repeat
	Detail       = wire.Detail
	User         = wire.User
	Profile      = wire.Profile
	Me           = wire.Me
	Room         = wire.Room
	RoomLook     = wire.RoomLook
	RoomState    = wire.RoomState
	RoomRequest  = wire.RoomRequest
	Member       = wire.Member
	Invite       = wire.Invite
	Presence     = wire.Presence
	Mark         = wire.Mark
	Thread       = wire.Thread
	ThreadState  = wire.ThreadState
	Replies      = wire.Replies
	Sent         = wire.Sent
	Face         = wire.Face
	Typing       = wire.Typing
	Left         = wire.Left
	Hello        = wire.Hello
	Blocking     = wire.Blocking
	Replay       = wire.Replay
	Field        = wire.Field
)

// Draft is a message to send.
type Draft = wire.Send

// Error is an error from the server. Kind is one of "invalid", "unauthorized", "forbidden",
// "not_found", "conflict", "too_large", "rate_limited", "unavailable" and "internal". Code is more
// specific.
type Error struct {
	Kind       string
	Code       Code
	Detail     string
	Fields     []Field
	RetryAfter time.Duration     // when to retry; 0: not specified
	Status     int               // HTTP status; 0 on the WebSocket
	Trace      string            // id of the request's trace, if the server traces: its operator finds the request by it
	Values     map[string]string // what Detail says of this case, by name; nil on the WebSocket
}

func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("%s (%s)", e.Detail, e.Kind)
	}
	return fmt.Sprintf("%s (%s, %s)", e.Detail, e.Kind, e.Code)
}

func fromBody(b *wire.ErrorBody) *Error {
	return &Error{Kind: b.Kind, Code: b.Code, Detail: b.Detail, Fields: b.Fields,
		RetryAfter: time.Duration(b.RetryAfter * float64(time.Second)), Trace: b.Trace}
}
