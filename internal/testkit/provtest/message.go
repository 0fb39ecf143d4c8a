package provtest

import "encoding/binary"

// A message is one of protocol buffers, of numbers and bytes.
type message struct {
	number map[int]uint64
	bytes  map[int][]byte
	raw    []byte
}

func decode(b []byte) (m message, ok bool) {
	m = message{map[int]uint64{}, map[int][]byte{}, b}
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return m, false
		}
		v, k := binary.Uvarint(b[n:])
		if k <= 0 {
			return m, false
		}
		b = b[n+k:]
		switch tag & 7 {
		case 0:
			m.number[int(tag>>3)] = v
		case 2:
			if v > uint64(len(b)) {
				return m, false
			}
			m.bytes[int(tag>>3)], b = b[:v], b[v:]
		default:
			return m, false
		}
	}
	return m, true
}

func (m *message) put(num int, v uint64) {
	if v != 0 {
		m.raw = binary.AppendUvarint(binary.AppendUvarint(m.raw, uint64(num)<<3), v)
	}
}

func (m *message) putBytes(num int, v []byte) {
	m.raw = binary.AppendUvarint(binary.AppendUvarint(m.raw, uint64(num)<<3|2), uint64(len(v)))
	m.raw = append(m.raw, v...)
}
