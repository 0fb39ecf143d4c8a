package gateway

import (
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/hub"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// format is how the hub speaks to WebSockets: frames of package wire, each in a
// text frame.
type format struct{ *flushers }

var _ hub.Format = format{}

// Event implements hub.Format. The bus carries frames as clients get them.
func (format) Event(_ wire.Header, frame []byte) []byte { return inText(frame) }

// Joined implements hub.Format.
func (format) Joined(st domain.RoomState) []byte {
	return encode(wire.Reply{Type: wire.TypeRoomJoined, Data: preview(st)})
}

// Left implements hub.Format.
func (format) Left(room, reason string) []byte {
	return encode(wire.Reply{Type: wire.TypeRoomLeft, Data: wire.Left{Room: room, Reason: reason}})
}

// Reset implements hub.Format.
func (format) Reset(room string) []byte {
	return encode(wire.Reply{Type: wire.TypeRoomReset, Data: wire.InRoom{Room: room}})
}

// encode returns a frame of the wire in a frame of the socket.
func encode(r wire.Reply) []byte {
	b, err := wire.Encode(r)
	if err != nil { // the wire's types can always be encoded
		b = []byte(`{"type":"error","error":{"kind":"internal","detail":` +
			`"something went wrong on the server; try again later"}}`)
	}
	return inText(b)
}

// inText returns b in a text frame.
func inText(b []byte) []byte {
	return ws.AppendFrame(make([]byte, 0, len(b)+ws.MaxHeader), ws.Text, b)
}

const previewLength = 300 // bytes of the last message of each room in hello

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
