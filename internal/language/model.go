package language

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the weights
	"encoding/binary"
	"io"
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
	features map[uint64]int32
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
		m.features = make(map[uint64]int32, features)
		for i := range features {
			n := int(b[0])
			m.features[key(string(b[1:1+n]))] = int32(i) //nolint:gosec // there are few
			b = b[1+n:]
		}
		m.weights, b = b[:languages*features], b[languages*features:]
		all = append(all, m)
	}
	return all
})

// key is a feature as a number: its bytes behind its length.
func key(feature string) uint64 {
	k := uint64(len(feature))
	for i := range len(feature) {
		k = k<<8 | uint64(feature[i])
	}
	return k
}
