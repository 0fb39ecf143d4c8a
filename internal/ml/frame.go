package ml

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// A frame is 32 bytes of header, big-endian, and a payload:
//
//	0  2  "ML"
//	2  1  version, 1
//	3  1  type
//	4  2  flags
//	6  1  codec of the payload, 1: MessagePack
//	7  1  length of an extension of the header, 0
//	8  8  id of the request; 0: about the connection
//	16 4  number of the chunk of the message, from 0
//	20 4  milliseconds that are left to answer; 0: none are named
//	24 4  length of the payload
//	28 4  its length without compression; 0: it has none
//
// A message longer than a frame is sent in chunks; the last one has flagEnd.
const (
	headerSize = 32
	maxFrame   = 1 << 20
	maxMessage = 16 << 20
	maxChunk   = 256 << 10       // of a message with a chunk of a stream
	maxControl = 64 << 10        // of a message on the socket for control
	maxBatch   = maxMessage - 64 // bytes of the inputs of a request, as packedSize counts them

	frameVersion = 1
	codecPacked  = 1
)

// Types of frames.
const (
	frameHello    = 0x01
	frameHelloAck = 0x02
	framePing     = 0x03
	framePong     = 0x04
	frameRequest  = 0x10
	frameStream   = 0x11 // a request that is answered in chunks
	frameResponse = 0x12
	frameChunk    = 0x13
	frameError    = 0x14
	frameCancel   = 0x15 // nobody waits for a stream any more
	frameCredit   = 0x16 // so many more chunks may be sent
	frameLoad     = 0x20
	frameLoaded   = 0x21
)

const flagEnd = 1

var errFrame = errors.New("not a frame of a worker")

// A message is what one or several frames carry.
type message struct {
	kind   byte
	id     uint64
	budget time.Duration // what is left to answer; 0: unknown
	body   any
}

// apartFrom is from how many bytes a value is sent from where it is.
const apartFrom = 16 << 10

// frames returns the frames of m, in parts. The large ones are those of m itself, which must not change until they are
// sent.
func (m message) frames() (net.Buffers, error) {
	p := packer{b: make([]byte, headerSize, 512), apart: apartFrom}
	p.pack(m.body)
	parts := append(p.parts, p.b)
	left := p.size + len(p.b) - headerSize
	if left > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes; at most %d are sent", left, maxMessage)
	}
	room := min(left, maxFrame-headerSize) // of the frame
	m.header(parts[0][:0], 0, room, room == left)
	if room == left {
		return parts, nil
	}
	bufs, chunk := make(net.Buffers, 0, len(parts)+2*(left/maxFrame)+2), uint32(0)
	room += headerSize
	for _, part := range parts {
		for len(part) > room {
			bufs = append(bufs, part[:room])
			part = part[room:]
			left -= maxFrame - headerSize
			chunk++
			room = min(left, maxFrame-headerSize)
			bufs = append(bufs, m.header(nil, chunk, room, room == left))
		}
		bufs = append(bufs, part)
		room -= len(part)
	}
	return bufs, nil
}

// header appends the header of a frame of m.
func (m message) header(b []byte, chunk uint32, size int, end bool) []byte {
	flags := uint16(0)
	if end {
		flags = flagEnd
	}
	b = append(b, 'M', 'L', frameVersion, m.kind)
	b = binary.BigEndian.AppendUint16(b, flags)
	b = append(b, codecPacked, 0)
	b = binary.BigEndian.AppendUint64(b, m.id)
	b = binary.BigEndian.AppendUint32(b, chunk)
	b = binary.BigEndian.AppendUint32(b, uint32(min(m.budget.Milliseconds(), 1<<31))) //nolint:gosec // bounded
	b = binary.BigEndian.AppendUint32(b, uint32(size))                                //nolint:gosec // bounded
	return binary.BigEndian.AppendUint32(b, 0)
}

// readMessage reads one of most bytes from r. What comes is checked before room is made for it.
func readMessage(r io.Reader, most int) (m message, err error) {
	var payload []byte
	for chunk := uint32(0); ; chunk++ {
		var h [headerSize]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return m, err
		}
		size, end, err := checkHeader(h[:])
		if err != nil {
			return m, err
		}
		id, kind := binary.BigEndian.Uint64(h[8:]), h[3]
		if binary.BigEndian.Uint32(h[16:]) != chunk || chunk > 0 && (id != m.id || kind != m.kind) {
			return m, fmt.Errorf("%w: chunk %d of %d is out of order", errFrame, chunk, id)
		}
		if kind == frameChunk {
			most = min(most, maxChunk)
		}
		if size == 0 && !end || len(payload)+size > most {
			return m, fmt.Errorf("%w: a message of more than %d bytes, or an empty chunk", errFrame, most)
		}
		m.id, m.kind = id, kind
		m.budget = time.Duration(binary.BigEndian.Uint32(h[20:])) * time.Millisecond
		start := len(payload)
		payload = append(payload, make([]byte, size)...)
		if _, err := io.ReadFull(r, payload[start:]); err != nil {
			return m, err
		}
		if end {
			m.body, err = unpack(payload)
			return m, err
		}
	}
}

func checkHeader(h []byte) (size int, end bool, err error) {
	flags := binary.BigEndian.Uint16(h[4:])
	n := binary.BigEndian.Uint32(h[24:])
	switch {
	case h[0] != 'M' || h[1] != 'L':
		err = fmt.Errorf("%w: it begins with %#x", errFrame, h[:2])
	case h[2] != frameVersion:
		err = fmt.Errorf("%w: version %d", errFrame, h[2])
	case flags&^flagEnd != 0, h[6] != codecPacked, h[7] != 0, binary.BigEndian.Uint32(h[28:]) != 0:
		err = fmt.Errorf("%w: flags %#x, codec %d, extension %d", errFrame, flags, h[6], h[7])
	case n > maxFrame-headerSize:
		err = fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	return int(n), flags&flagEnd != 0, err
}
