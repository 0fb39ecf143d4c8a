package delta

import "io"

// heatshrink is LZSS in bits, the highest first: 1 and a byte, or 0, how far back it begins less one (window
// bits), and how many bytes less one (lookahead bits).
const (
	windowBits    = 8
	lookaheadBits = 7
	prefix        = (windowBits-4)<<4 | (lookaheadBits - 3)
	maxWindow     = 15 // bits that a decoder takes: 32 KiB

	window    = 1 << windowBits
	lookahead = 1 << lookaheadBits
	literal   = 1 + 8 // bits
	reference = 1 + windowBits + lookaheadBits
)

// compress appends what heatshrink makes of b, after the byte that says how.
func compress(out, b []byte) []byte {
	w := bitWriter{out: append(out, prefix)}
	const block = 1 << 16
	for from := 0; from < len(b); from += block {
		w.block(b, from, min(from+block, len(b)))
	}
	return w.flush()
}

// A bitWriter appends bits to out.
type bitWriter struct {
	out  []byte
	bits uint32
	n    uint
}

func (w *bitWriter) write(v uint32, n uint) {
	w.bits = w.bits<<n | v
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.bits>>(w.n-8)))
	}
}

func (w *bitWriter) flush() []byte {
	if w.n > 0 {
		w.write(0, 8-w.n)
	}
	return w.out
}

// block writes b[from:to] in as few bits as possible; references may begin before from.
func (w *bitWriter) block(b []byte, from, to int) {
	n := to - from
	distances, lengths := make([]uint16, n), make([]uint8, n)
	for i := range n {
		at := from + i
		if i > 0 && lengths[i-1] > lookahead/2 && b[at-1] == b[at] && distances[i-1] == 1 {
			// Within a run nothing is better than the run.
			distances[i], lengths[i] = 1, uint8(same(b, at, at-1, to))
			continue
		}
		distance, length := farthest(b, at, to)
		distances[i], lengths[i] = uint16(distance), uint8(length)
	}
	// cost[i] is how many bits the rest needs from i on, and take[i] how many bytes go first.
	cost, take := make([]uint32, n+1), make([]uint8, n)
	for i := n - 1; i >= 0; i-- {
		cost[i], take[i] = literal+cost[i+1], 1
		for length := int(lengths[i]); length >= 2; length-- {
			if c := reference + cost[i+length]; c < cost[i] {
				cost[i], take[i] = c, uint8(length)
			}
		}
	}
	for i := 0; i < n; i += int(take[i]) {
		if take[i] == 1 {
			w.write(1<<8|uint32(b[from+i]), literal)
			continue
		}
		w.write(uint32(distances[i]-1)<<lookaheadBits|uint32(take[i]-1), reference)
	}
}

// farthest finds the longest repetition of what begins at b[at], and how far back it is.
func farthest(b []byte, at, to int) (distance, length int) {
	for d := 1; d <= window && d <= at && length < lookahead; d++ {
		if length > 0 && (at+length >= to || b[at-d+length] != b[at+length]) {
			continue
		}
		if l := same(b, at, at-d, to); l > length {
			distance, length = d, l
		}
	}
	return distance, length
}

// same counts how many bytes from at and from before are the same, at most as many as a reference can have.
func same(b []byte, at, before, to int) (n int) {
	for n < lookahead && at+n < to && b[at+n] == b[before+n] {
		n++
	}
	return n
}

// A decoder reads what heatshrink has compressed.
type decoder struct {
	in                io.ByteReader
	bits              uint32
	n                 uint
	window, lookahead uint
	ring              []byte
	at                int // in ring, of the next byte
	back, more        int // a reference that is being copied
}

func newDecoder(in io.ByteReader) (*decoder, error) {
	b, err := in.ReadByte()
	if err != nil {
		return nil, cutOff(err)
	}
	d := &decoder{in: in, window: uint(b>>4) + 4, lookahead: uint(b&15) + 3}
	if d.window > maxWindow || d.lookahead >= d.window {
		return nil, wrong("its window has %d bits and its lookahead %d", d.window, d.lookahead)
	}
	d.ring = make([]byte, 1<<d.window)
	return d, nil
}

// ReadByte returns the next byte. Without one, the error is io.EOF: also when bits are left that are too few
// for a byte, since the last byte of a stream is filled up.
func (d *decoder) ReadByte() (byte, error) {
	if d.more == 0 {
		tag, err := d.read(1)
		if err != nil {
			return 0, err
		}
		if tag == 1 {
			b, err := d.read(8)
			return d.put(byte(b)), err
		}
		back, err := d.read(d.window)
		if err != nil {
			return 0, err
		}
		length, err := d.read(d.lookahead)
		if err != nil {
			return 0, err
		}
		d.back, d.more = int(back)+1, int(length)+1
	}
	d.more--
	return d.put(d.ring[(d.at-d.back)&(len(d.ring)-1)]), nil
}

// put keeps a byte for references.
func (d *decoder) put(b byte) byte {
	d.ring[d.at] = b
	d.at = (d.at + 1) & (len(d.ring) - 1)
	return b
}

func (d *decoder) Read(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		if b[n], err = d.ReadByte(); err == nil {
			n++
		}
	}
	return n, err
}

func (d *decoder) read(n uint) (uint32, error) {
	for d.n < n {
		b, err := d.in.ReadByte()
		if err != nil {
			return 0, err
		}
		d.bits, d.n = d.bits<<8|uint32(b), d.n+8
	}
	d.n -= n
	return d.bits >> d.n & (1<<n - 1), nil
}
