package language

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the weights
	"encoding/binary"
	"io"
	"math/bits"
	"sync"
)

//go:embed model.gz
var packed []byte

// What tools/language/model.py writes.
const (
	longest = 5 // bytes of a feature
	step    = 4 // of a weight, in a logarithmic unit
)

// A model tells the languages of one script apart.
type model struct {
	codes    []string // of all languages
	named    int      // so many of them are, the first
	features table
	weights  []byte // by feature and language: how much less likely it is than in the language that has it the most
}

// models are those of the scripts latin, cyrillic and arabic. They are read when the first message needs them.
var models = sync.OnceValue(func() []*model {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(err) // it is part of the program
	}
	b, err := io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	var all []*model
	for range arabic + 1 {
		m := &model{named: int(b[0])}
		languages, features := int(b[1]), int(binary.BigEndian.Uint32(b[2:]))
		b = b[6:]
		for range languages {
			m.codes, b = append(m.codes, string(b[:2])), b[2:]
		}
		m.features = newTable(features)
		for i := range features {
			n := int(b[0])
			m.features.add(key(string(b[1:1+n])), int32(i)) //nolint:gosec // there are few
			b = b[1+n:]
		}
		m.weights, b = b[:languages*features], b[languages*features:]
		all = append(all, m)
	}
	return all
})

// A table finds features by their keys, where most of what is looked for is not there. It takes a quarter of the time
// of a map.
type table struct {
	slots []slot
	shift int
}

type slot struct {
	key uint64 // 0: none
	at  int32
}

// newTable returns one for n features, of which half of the slots stay empty.
func newTable(n int) table {
	size := bits.Len(uint(2 * n))
	return table{make([]slot, 1<<size), 64 - size}
}

// home is where a key is, or the next slots, by Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4).
func (t table) home(key uint64) int { return int(key * 0x9e3779b97f4a7c15 >> t.shift) } //nolint:gosec // below 1<<size

func (t table) add(key uint64, at int32) {
	i := t.home(key)
	for t.slots[i].key != 0 {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = slot{key, at}
}

// find returns the number of a feature, or -1.
func (t table) find(key uint64) int32 {
	for i := t.home(key); ; i = (i + 1) & (len(t.slots) - 1) {
		switch t.slots[i].key {
		case key:
			return t.slots[i].at
		case 0:
			return -1
		}
	}
}

// key is a feature as a number: its bytes behind its length.
func key(feature string) uint64 {
	k := uint64(len(feature))
	for i := range len(feature) {
		k = k<<8 | uint64(feature[i])
	}
	return k
}
