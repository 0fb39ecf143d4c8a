package embed

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// An array is one that is expected in a file: of bytes, or of numbers of 32 bits. Its shape must be what is said here.
type array struct {
	shape  string // as Python writes it: "(512, 256)"
	length int
	bytes  []byte    // these, if not nil, are what to fill
	floats []float32 // else these
}

func floats(rows, columns int) *array {
	a := &array{length: rows * columns, shape: fmt.Sprintf("(%d, %d)", rows, columns)}
	if columns == 1 {
		a.shape = fmt.Sprintf("(%d,)", rows)
	}
	return a
}

// kind is what the numbers are, as NumPy writes it.
func (a *array) kind() string {
	if a.bytes != nil {
		return "|u1"
	}
	return "<f4"
}

const maxHeader = 4096

// read reads an array in format NPY 1.0: a magic number, the length of the header, the header as a Python dictionary,
// and the numbers.
func (a *array) read(r io.Reader) error {
	var start [10]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return err
	}
	if string(start[:8]) != "\x93NUMPY\x01\x00" {
		return fmt.Errorf("it is not in format NPY 1.0")
	}
	length := int(binary.LittleEndian.Uint16(start[8:]))
	if length > maxHeader {
		return fmt.Errorf("its header has %d bytes", length)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(r, header); err != nil {
		return err
	}
	for _, want := range []string{"'descr': '" + a.kind() + "'", "'fortran_order': False", "'shape': " + a.shape} {
		if !strings.Contains(string(header), want) {
			return fmt.Errorf("its header lacks %s: %s", want, strings.TrimSpace(string(header)))
		}
	}
	if a.bytes != nil {
		_, err := io.ReadFull(r, a.bytes)
		return err
	}
	raw := make([]byte, 4*a.length)
	if _, err := io.ReadFull(r, raw); err != nil {
		return err
	}
	a.floats = make([]float32, a.length)
	for i := range a.floats {
		x := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		if x != x || math.IsInf(float64(x), 0) {
			return fmt.Errorf("number %d is not finite", i)
		}
		a.floats[i] = x
	}
	return nil
}
