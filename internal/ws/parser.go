package ws

import (
	"encoding/binary"
	"unicode/utf8"
)

// Parser turns the bytes of a connection into messages, and refuses what RFC
// 6455 forbids. It holds memory only between the fragments of a message.
type Parser struct {
	Max    int  // bytes of a message; more is refused with CodeTooBig before it is read
	Client bool // this side is the client: frames must not be masked, instead of must

	op        Opcode // of the message whose fragments are being collected, or 0
	fragments uint16
	msg       []byte
}

// Message is a whole message or a control frame.
type Message struct {
	Op      Opcode
	Payload []byte
}

// Next reads the frame at the start of b, unmasks it in place and returns how
// many bytes it took. If b does not hold the whole frame, n is 0 and need says
// how many bytes it has at least. A frame that is not the end of a message
// gives a Message with Op Continuation. The payload shares b's memory, or the
// parser's, until the next call.
func (p *Parser) Next(b []byte) (m Message, n, need int, err error) {
	h, size := ParseHeader(b)
	if len(b) >= 2 {
		if err := p.check(h); err != nil {
			return m, 0, 0, err
		}
	}
	if size == 0 {
		return m, 0, len(b) + 1, nil
	}
	if err := p.checkLength(h); err != nil {
		return m, 0, 0, err
	}
	end := size + int(h.Length)
	if len(b) < end {
		return m, 0, end, nil
	}
	payload := b[size:end]
	if h.Masked {
		Cipher(payload, h.Mask)
	}
	m, err = p.take(h, payload)
	return m, end, 0, err
}

// Idle reports whether the parser is between messages, and holds no memory.
func (p *Parser) Idle() bool { return p.op == 0 }

// check refuses what the first two bytes of a frame give away.
func (p *Parser) check(h Header) error {
	switch {
	case h.RSV != 0:
		return protocolError("reserved bits are set")
	case h.Masked == p.Client:
		return protocolError("client frames must be masked, and only they")
	case h.Op > Pong || (h.Op > Binary && h.Op < Close):
		return protocolError("opcode %#x is reserved", byte(h.Op))
	case h.Op.Control() && !h.Fin:
		return protocolError("control frames must not be fragmented")
	case h.Op.Control() && h.code > maxControl:
		return protocolError("control frames hold at most %d bytes", maxControl)
	case h.Op == Continuation && p.op == 0:
		return protocolError("there is no message to continue")
	case (h.Op == Text || h.Op == Binary) && p.op != 0:
		return protocolError("a new message began inside another")
	}
	return nil
}

func (p *Parser) checkLength(h Header) error {
	switch {
	case h.Length >= 1<<63:
		return protocolError("length has its highest bit set")
	case h.code == 126 && h.Length < 126, h.code == 127 && h.Length < 1<<16:
		return protocolError("length is longer than it needs to be")
	}
	if h.Op.Control() {
		return nil
	}
	if h.Length > uint64(p.Max-len(p.msg)) || p.fragments >= maxFragments {
		return &Error{CodeTooBig, "message is too big"}
	}
	return nil
}

// take applies a whole frame.
func (p *Parser) take(h Header, payload []byte) (Message, error) {
	switch {
	case h.Op.Control():
		return control(h.Op, payload)
	case h.Fin && h.Op != Continuation:
		return whole(h.Op, payload)
	}
	if h.Op != Continuation {
		p.op = h.Op
	}
	p.fragments++
	p.msg = append(p.msg, payload...)
	if !h.Fin {
		return Message{}, nil
	}
	op, msg := p.op, p.msg
	p.op, p.msg, p.fragments = 0, nil, 0
	return whole(op, msg)
}

func whole(op Opcode, payload []byte) (Message, error) {
	if op == Text && !utf8.Valid(payload) {
		return Message{}, &Error{CodeBadUTF8, "text is not valid UTF-8"}
	}
	return Message{op, payload}, nil
}

func control(op Opcode, payload []byte) (Message, error) {
	if op == Close {
		if _, _, err := ParseClose(payload); err != nil {
			return Message{}, err
		}
	}
	return Message{op, payload}, nil
}

// ParseClose reads the payload of a close frame. An empty one has the code
// CodeNone.
func ParseClose(payload []byte) (code int, reason string, err error) {
	switch len(payload) {
	case 0:
		return CodeNone, "", nil
	case 1:
		return 0, "", protocolError("close code of one byte")
	}
	code = int(binary.BigEndian.Uint16(payload))
	if !validCode(code) {
		return 0, "", protocolError("close code %d must not be sent", code)
	}
	if !utf8.Valid(payload[2:]) {
		return 0, "", &Error{CodeBadUTF8, "close reason is not valid UTF-8"}
	}
	return code, string(payload[2:]), nil
}

// validCode reports whether code may be in a close frame: those that RFC 6455
// and its registry define for that use, and the ranges left to libraries and
// applications.
func validCode(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code >= 1000 && code <= 1014:
		return code != 1004 && code != CodeNone && code != CodeAbnormal
	}
	return false
}
