package delta

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"index/suffixarray"
)

// ErrDifferent is the error for images that have so little in common that a patch saves nothing worth it.
var ErrDifferent = errors.New("the images have too little in common for a patch")

// Create makes the patch that makes target of base. id names the base; see Base. It takes some seconds for
// images of a few MiB, and looks at ctx now and then.
func Create(ctx context.Context, base, target []byte, id [32]byte) ([]byte, error) {
	if len(base) == 0 || len(target) == 0 || len(base) > MaxImage || len(target) > MaxImage {
		return nil, fmt.Errorf("images of 1 to %d bytes can be compared, and these have %d and %d", MaxImage, len(base),
			len(target))
	}
	c := comparison{base: base, target: target, index: suffixarray.New(base)}
	if err := c.run(ctx); err != nil {
		return nil, err
	}
	patch := binary.LittleEndian.AppendUint32(nil, headerMagic)
	patch = append(append(patch, id[:]...), make([]byte, headerSize-4-len(id))...)
	patch = appendVarint(append(patch, sequential), int64(len(target)))
	patch = compress(patch, c.out)
	return patch, prove(base, target, patch)
}

// prove applies a patch that was made.
func prove(base, target, patch []byte) error {
	var got bytes.Buffer
	got.Grow(len(target))
	if err := Apply(bytes.NewReader(base), int64(len(base)), bytes.NewReader(patch), &got); err != nil {
		return err
	}
	if !bytes.Equal(got.Bytes(), target) {
		return fmt.Errorf("the patch from %d to %d bytes does not make the image", len(base), len(target))
	}
	return nil
}

const (
	shortest = 10      // bytes of what is looked for in the base
	enough   = 1 << 11 // bytes of a match than which no longer one is looked for
	furthest = 1 << 12 // bytes before a match that are looked at
	gain     = 8       // bytes that a place in the base must fit better than the present one
)

// A comparison finds out of which parts of base most of target can be made. At any time target[from:] is
// made of base[at:], byte by byte, until a place in base is found that fits clearly better. (The idea is
// that of Colin Percival's bsdiff.)
type comparison struct {
	base, target []byte
	index        *suffixarray.Index
	from, at     int
	out          []byte // records of the patch
}

func (c *comparison) run(ctx context.Context) error {
	c.out = appendVarint(nil, 0)
	for looked, found, i := 0, 0, 0; i < len(c.target); {
		if run := equal(c.target[i:], tail(c.base, c.at+i-c.from)); run >= shortest {
			i += run
			continue
		}
		if looked++; looked%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		place, length := c.longest(i)
		if length == 0 {
			if i++; looked-found > len(c.target)/2 {
				return ErrDifferent
			}
			continue
		}
		found++
		if fits := agree(c.target[i:i+length], tail(c.base, c.at+i-c.from)); length <= fits+gain {
			i += max(1, length-gain)
			continue
		}
		c.move(i, place)
		i += length
	}
	length := c.forward(len(c.target))
	c.record(length, len(c.target), c.at+length)
	return nil
}

// tail is b from i on; nothing where that is outside.
func tail(b []byte, i int) []byte {
	if i < 0 || i > len(b) {
		return nil
	}
	return b[i:]
}

// longest finds in the base the longest part that is the same as target from i on, or one that is long enough.
// It doubles the length that it looks for until there is none, and then halves the range between.
func (c *comparison) longest(i int) (place, length int) {
	for n, none := shortest, min(enough, len(c.target)-i)+1; n < none; {
		hits := c.index.Lookup(c.target[i:i+n], 1)
		if hits == nil {
			none = n
		} else {
			place = hits[0]
			length = equal(c.target[i:], c.base[place:])
		}
		if n = (length + none + 1) / 2; none > 2*length {
			n = 2 * length
		}
		if length == 0 {
			break
		}
	}
	return place, length
}

// move ends the present part, and begins one at target[i], which is base[place].
func (c *comparison) move(i, place int) {
	ahead, back := c.forward(i), c.backward(i, place)
	if over := ahead + back - (i - c.from); over > 0 {
		cut := c.cut(i-back, place-back, over)
		ahead, back = ahead-over+cut, back-cut
	}
	c.record(ahead, i-back, place-back)
	c.from, c.at = i-back, place-back
}

// forward is how much of target from c.from to the end is well made of the present place.
func (c *comparison) forward(end int) (length int) {
	best, score := 0, 0
	for n := 1; c.from+n <= end && c.at+n <= len(c.base); n++ {
		if c.target[c.from+n-1] == c.base[c.at+n-1] {
			score++
		}
		if 2*score-n > best {
			best, length = 2*score-n, n
		}
	}
	return length
}

// backward is how much of target before i is well made of what is before place.
func (c *comparison) backward(i, place int) (length int) {
	best, score := 0, 0
	for n := 1; n <= furthest && i-n >= c.from && place >= n; n++ {
		if c.target[i-n] == c.base[place-n] {
			score++
		}
		if 2*score-n > best {
			best, length = 2*score-n, n
		}
	}
	return length
}

// cut says how many of the first bytes of target[from:from+over], which both places could make, the present
// place should make; base[place] is where the next one has them.
func (c *comparison) cut(from, place, over int) (length int) {
	best, score := 0, 0
	for n := range over {
		b := c.target[from+n]
		if b == c.base[c.at+from-c.from+n] {
			score++
		}
		if b == c.base[place+n] {
			score--
		}
		if score >= best {
			best, length = score, n+1
		}
	}
	return length
}

// record writes a record: length bytes of target are made of the present place, those up to next are written
// as they are, and then base is read from place on.
func (c *comparison) record(length, next, place int) {
	c.out = appendVarint(c.out, int64(length))
	for i := range length {
		c.out = append(c.out, c.target[c.from+i]-c.base[c.at+i])
	}
	extra := c.target[c.from+length : next]
	c.out = appendVarint(c.out, int64(len(extra)))
	c.out = append(c.out, extra...)
	c.out = appendVarint(c.out, int64(place-c.at-length))
}

// equal counts the bytes with which a and b both begin.
func equal(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// agree counts the bytes of a that are the same in b at the same place.
func agree(a, b []byte) (n int) {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			n++
		}
	}
	return n
}
