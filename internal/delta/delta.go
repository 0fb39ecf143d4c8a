// Package delta makes and applies patches of firmware: what makes an image of the one that a device runs. Their
// format is that of esp_delta_ota, which ESP-IDF applies: a header of 64 bytes, and a sequential patch of
// detools, compressed by heatshrink. docs/firmware-signing.md describes it.
package delta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Format names the format among the features of devices, and in offers.
const Format = "detools-heatshrink"

// MaxImage is the size in bytes of the largest images that patches are made of. Making one needs ten times
// the size of the base.
const MaxImage = 8 << 20

const (
	headerMagic = 0xFCCDDE10
	headerSize  = 64
	sequential  = 0<<4 | 4 // type of the patch, and its compression: heatshrink
	maxVarint   = 5        // bytes
)

// ErrPatch is the error for what is no patch of this format, or not one for this base.
var ErrPatch = errors.New("this is no patch that fits")

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrPatch}, args...)...)
}

// Base reads the header of a patch, its first 64 bytes or more, and returns what names its base: of an image of
// ESP-IDF the SHA-256 that is appended to it, of others the SHA-256 of the file.
func Base(patch []byte) (id [32]byte, err error) {
	if len(patch) < headerSize || binary.LittleEndian.Uint32(patch) != headerMagic {
		return id, wrong("it does not begin with the header of esp_delta_ota")
	}
	return [32]byte(patch[4:36]), nil
}

// Apply makes an image, written to out, of a base and a patch. It reads the patch once, from its beginning to its
// end, and needs at most 64 KiB for any patch. It does not compare hashes: whoever gave the patch said which
// one its result must have.
func Apply(base io.ReaderAt, baseSize int64, patch io.Reader, out io.Writer) error {
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(patch, head); err != nil {
		return cutOff(err)
	}
	if _, err := Base(head); err != nil {
		return err
	}
	return applySequential(base, baseSize, patch, out)
}

// applySequential applies what follows the header.
func applySequential(base io.ReaderAt, baseSize int64, patch io.Reader, out io.Writer) error {
	in := &byteReader{r: patch}
	kind, err := in.ReadByte()
	if err != nil {
		return cutOff(err)
	}
	if kind != sequential {
		return wrong("its type and compression are %#02x, not %#02x: sequential, heatshrink", kind, sequential)
	}
	size, err := readVarint(in)
	if err != nil {
		return err
	}
	if size < 0 {
		return wrong("it makes %d bytes", size)
	}
	if size == 0 {
		return nil
	}
	unpacked, err := newDecoder(in)
	if err != nil {
		return err
	}
	a := applier{base: base, baseSize: baseSize, in: unpacked, out: out, left: size}
	return a.run()
}

// An applier carries out the records of a patch.
type applier struct {
	base     io.ReaderAt
	baseSize int64
	at       int64 // in base
	in       *decoder
	out      io.Writer
	left     int64 // bytes that are still to be made
	old, new [1 << 12]byte
}

func (a *applier) run() error {
	format, err := readVarint(a.in)
	if err != nil {
		return err
	}
	if format != 0 {
		return wrong("it has a part for a data format")
	}
	for a.left > 0 {
		if err := a.added(); err != nil {
			return err
		}
		if err := a.extra(); err != nil {
			return err
		}
		seek, err := readVarint(a.in)
		if err != nil {
			return err
		}
		if a.at += seek; a.at < 0 || a.at > a.baseSize {
			return wrong("it reads byte %d of %d", a.at, a.baseSize)
		}
	}
	return nil
}

// size reads the number of bytes that the next part of a record makes.
func (a *applier) size() (int64, error) {
	n, err := readVarint(a.in)
	if err == nil && (n < 0 || n > a.left) {
		err = wrong("a part makes %d bytes, and %d are left", n, a.left)
	}
	a.left -= n
	return n, err
}

// added makes bytes that are those of the base plus those of the patch.
func (a *applier) added() error {
	n, err := a.size()
	if err == nil && n > a.baseSize-a.at {
		err = wrong("it reads beyond the base, which has %d bytes", a.baseSize)
	}
	for err == nil && n > 0 {
		old, plus := a.old[:min(n, int64(len(a.old)))], a.new[:min(n, int64(len(a.new)))]
		if _, err = io.ReadFull(io.NewSectionReader(a.base, a.at, int64(len(old))), old); err != nil {
			break
		}
		if _, err = io.ReadFull(a.in, plus); err != nil {
			return cutOff(err)
		}
		for i := range plus {
			plus[i] += old[i]
		}
		_, err = a.out.Write(plus)
		a.at += int64(len(old))
		n -= int64(len(old))
	}
	return err
}

// extra makes bytes that are in the patch as they are.
func (a *applier) extra() error {
	n, err := a.size()
	for err == nil && n > 0 {
		b := a.new[:min(n, int64(len(a.new)))]
		if _, err = io.ReadFull(a.in, b); err != nil {
			return cutOff(err)
		}
		_, err = a.out.Write(b)
		n -= int64(len(b))
	}
	return err
}

// cutOff says that a patch ends too early, instead of io.EOF.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return wrong("it is cut off")
	}
	return err
}

// readVarint reads a number: six bits and the sign in the first byte, then seven bits in each, the low ones
// first.
func readVarint(in io.ByteReader) (int64, error) {
	var n int64
	var negative bool
	for i, shift := 0, 0; i < maxVarint; i++ {
		b, err := in.ReadByte()
		if err != nil {
			return 0, cutOff(err)
		}
		if i == 0 {
			negative, n, shift = b&0x40 != 0, int64(b&0x3F), 6
		} else {
			n |= int64(b&0x7F) << shift
			shift += 7
		}
		if b&0x80 == 0 {
			if negative {
				n = -n
			}
			return n, nil
		}
	}
	return 0, wrong("a number has more than %d bytes", maxVarint)
}

func appendVarint(b []byte, n int64) []byte {
	first := byte(0)
	if n < 0 {
		first, n = 0x40, -n
	}
	first |= byte(n & 0x3F)
	n >>= 6
	for ; n > 0; n >>= 7 {
		b = append(b, first|0x80)
		first = byte(n & 0x7F)
	}
	return append(b, first)
}

// A byteReader reads through a buffer of its own.
type byteReader struct {
	r      io.Reader
	buffer [1 << 10]byte
	have   []byte
}

func (b *byteReader) ReadByte() (byte, error) {
	for len(b.have) == 0 {
		n, err := b.r.Read(b.buffer[:])
		if b.have = b.buffer[:n]; n == 0 && err != nil {
			return 0, err
		}
	}
	c := b.have[0]
	b.have = b.have[1:]
	return c, nil
}
