// Package ws is the framing of WebSockets (RFC 6455): headers, masks, close
// codes, and the rules on what may follow what. It does no input or output of
// its own but for the client's handshake, and keeps no buffers: the gateway
// holds ten thousand silent connections and must decide itself when one of
// them gets memory.
package ws

import (
	"encoding/binary"
	"fmt"
)

// Opcode says what a frame is.
type Opcode byte

// The opcodes.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xa
)

// Control reports whether o is a control frame: short, whole, and allowed
// between the fragments of a message.
func (o Opcode) Control() bool { return o&0x8 != 0 }

// Close codes of RFC 6455 that this server uses.
const (
	CodeNormal     = 1000
	CodeGoingAway  = 1001
	CodeProtocol   = 1002
	CodeBadType    = 1003
	CodeNone       = 1005 // never sent: a close frame without a code
	CodeAbnormal   = 1006 // never sent: the connection ended without a close frame
	CodeBadUTF8    = 1007
	CodePolicy     = 1008
	CodeTooBig     = 1009
	CodeInternal   = 1011
	CodeRestarting = 1012
)

const (
	maxControl   = 125 // bytes of a control frame's payload
	maxReason    = maxControl - 2
	maxFragments = 256 // frames of one message
	// MaxHeader is the length of the longest frame header.
	MaxHeader = 14
)

// Error is a breach of the protocol by the other side. Code is the close code
// that answers it.
type Error struct {
	Code   int
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("websocket: %s (%d)", e.Reason, e.Code) }

func protocolError(format string, args ...any) *Error {
	return &Error{CodeProtocol, fmt.Sprintf(format, args...)}
}

// Header is the start of a frame.
type Header struct {
	Fin    bool
	RSV    byte // the three reserved bits
	Op     Opcode
	Masked bool
	Mask   [4]byte
	Length uint64 // of the payload

	code byte // the seven bits that say the length, or how long the length is
}

// ParseHeader reads the header at the start of b and returns its length: 0 if
// b does not hold the whole of it.
func ParseHeader(b []byte) (h Header, n int) {
	if len(b) < 2 {
		return h, 0
	}
	h = Header{Fin: b[0]&0x80 != 0, RSV: b[0] >> 4 & 7, Op: Opcode(b[0] & 0xf), Masked: b[1]&0x80 != 0,
		Length: uint64(b[1] & 0x7f), code: b[1] & 0x7f}
	n = 2
	switch h.code {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	need := n
	if h.Masked {
		need += 4
	}
	if len(b) < need {
		return h, 0
	}
	switch h.code {
	case 126:
		h.Length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		h.Length = binary.BigEndian.Uint64(b[2:])
	}
	if h.Masked {
		copy(h.Mask[:], b[n:])
	}
	return h, need
}

// AppendHeader appends h to b.
func AppendHeader(b []byte, h Header) []byte {
	first, mask := h.RSV<<4|byte(h.Op), byte(0)
	if h.Fin {
		first |= 0x80
	}
	if h.Masked {
		mask = 0x80
	}
	switch {
	case h.Length < 126:
		b = append(b, first, mask|byte(h.Length))
	case h.Length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, first, mask|126), uint16(h.Length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, first, mask|127), h.Length)
	}
	if h.Masked {
		b = append(b, h.Mask[:]...)
	}
	return b
}

// AppendFrame appends a whole frame as a server sends it: not masked.
func AppendFrame(b []byte, op Opcode, payload []byte) []byte {
	b = AppendHeader(b, Header{Fin: true, Op: op, Length: uint64(len(payload))})
	return append(b, payload...)
}

// AppendMasked appends a whole frame as a client sends it.
func AppendMasked(b []byte, op Opcode, payload []byte, mask [4]byte) []byte {
	b = AppendHeader(b, Header{Fin: true, Op: op, Masked: true, Mask: mask, Length: uint64(len(payload))})
	start := len(b)
	b = append(b, payload...)
	Cipher(b[start:], mask)
	return b
}

// ClosePayload returns the payload of a close frame. A reason that is too long
// is cut.
func ClosePayload(code int, reason string) []byte {
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

// Cipher masks or unmasks b in place.
func Cipher(b []byte, mask [4]byte) {
	m := uint64(binary.LittleEndian.Uint32(mask[:]))
	m |= m << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^m)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= mask[i&3]
	}
}
