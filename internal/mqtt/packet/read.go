package packet

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// reader takes fields from a body. After the first error it returns zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// take returns the next n bytes, which share the body's memory.
func (r *reader) take(n int) []byte {
	if r.err != nil || len(r.b) < n {
		r.fail(malformed("the packet ends within a field"))
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// varint reads a variable byte integer, which must be as short as it can be.
func (r *reader) varint() uint32 {
	var n uint32
	for shift := 0; shift < 28; shift += 7 {
		c := r.byte()
		n |= uint32(c&0x7f) << shift
		if c < 0x80 {
			if c == 0 && shift > 0 {
				r.fail(malformed("an integer has more bytes than it needs"))
			}
			return n
		}
	}
	r.fail(malformed("an integer is more than four bytes long"))
	return 0
}

// binary returns the bytes of a field, which share the body's memory.
func (r *reader) binary() []byte { return r.take(int(r.uint16())) }

// text reads a string, which is a copy.
func (r *reader) text() string {
	b := r.binary()
	if r.err != nil {
		return ""
	}
	s := string(b)
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		r.fail(malformed("a string is not valid UTF-8, or has a null character"))
	}
	return s
}

// id reads a packet identifier.
func (r *reader) id() uint16 {
	id := r.uint16()
	if r.err == nil && id == 0 {
		r.fail(violation("a packet identifier cannot be 0"))
	}
	return id
}

// end returns the first error; bytes that are left are one.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail(malformed("%d bytes follow the end of the packet", len(r.b)))
	}
	return r.err
}

func appendVarint(b []byte, n uint32) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func varintLen(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	}
	return 4
}

// appendText appends a string or binary data. What is longer than a field can be is cut.
func appendText[T string | []byte](b []byte, s T) []byte {
	s = s[:min(len(s), 0xffff)]
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}
