package wire

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/unhidra/unhidra/internal/domain"
)

// Header is what the hub needs to know of a frame before it hands it on. On
// the bus a frame travels as the header's JSON, a line feed and the frame as
// clients get it, so that an event is encoded once for everybody.
type Header struct {
	Seq     int64  `json:"seq,omitempty"`     // of the room's log; 0: not logged (typing)
	Type    string `json:"type"`              // of the event, or of the frame if it is not an event
	Subject string `json:"subject,omitempty"` // user id that a member.* event is about
	Actor   string `json:"actor,omitempty"`   // user id of who did it
	At      int64  `json:"at,omitempty"`      // when it was accepted, in Unix milliseconds: delivery is timed from here
	Trace   string `json:"trace,omitempty"`   // traceparent of its publication; empty: it is not traced
}

// Pack joins a header and an encoded frame for the bus.
func Pack(h Header, frame []byte) ([]byte, error) {
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return append(append(head, '\n'), frame...), nil
}

// Unpack splits what Pack joined. The frame shares b's memory.
func Unpack(b []byte) (h Header, frame []byte, err error) {
	head, frame, ok := bytes.Cut(b, []byte{'\n'})
	if !ok {
		return h, nil, fmt.Errorf("bus frame of %d bytes has no header", len(b))
	}
	err = json.Unmarshal(head, &h)
	return h, frame, err
}

// EncodeEvent returns the frame that tells clients of e.
func EncodeEvent(e domain.Event) ([]byte, error) {
	return Encode(Reply{Type: TypeEvent, Data: FromEvent(e)})
}

// PackEvent is Pack for an entry of a room's log.
func PackEvent(e domain.Event) ([]byte, error) {
	frame, err := EncodeEvent(e)
	if err != nil {
		return nil, err
	}
	return Pack(HeaderOf(e), frame)
}

// PackReply is Pack for a frame that is no event of a room's log.
func PackReply(kind string, data any) ([]byte, error) {
	frame, err := Encode(Reply{Type: kind, Data: data})
	if err != nil {
		return nil, err
	}
	return Pack(Header{Type: kind}, frame)
}

// HeaderOf returns the header of an entry of a room's log.
func HeaderOf(e domain.Event) Header {
	h := Header{Seq: e.Seq, Type: string(e.Type), Actor: e.Actor.ID, At: e.At.UnixMilli(), Trace: e.Trace}
	if e.Subject != nil {
		h.Subject = e.Subject.ID
	}
	return h
}

// Subjects of the bus.

// RoomSubject is where a room's events and typing notices are published.
func RoomSubject(room string) string { return "room." + room }

// UserSubject is where frames for all of one user's connections are published.
func UserSubject(user string) string { return "user." + user }

// DeviceSubject is where frames for all who watch a device are published, without a header.
func DeviceSubject(device string) string { return "readings." + device }

// UserHeader is the header of news about a user that go to whoever watches
// them, on the bus's presence subject. The frame is of type TypeUser.
func UserHeader(user string) Header { return Header{Type: TypeUser, Subject: user} }

// PackUser tells, on the bus's presence subject, that a user has a new name,
// picture or status.
func PackUser(u domain.User) ([]byte, error) {
	frame, err := Encode(Reply{Type: TypeUser, Data: FromProfile(u)})
	if err != nil {
		return nil, err
	}
	return Pack(UserHeader(u.ID), frame)
}
