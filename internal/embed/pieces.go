package embed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// The vocabulary is a file of SentencePiece (github.com/google/sentencepiece, sentencepiece_model.proto): a message
// ModelProto of Protocol Buffers with the pieces, their scores, and the table by which texts are normalised.

// Numbers of pieces with a meaning of their own.
const (
	unknown = 0
	begin   = 1
	end     = 2
)

// Types of pieces that texts may contain; others, such as begin, they may not.
const (
	normalPiece = 1
	userPiece   = 4
	unusedPiece = 5
)

// maxVocabulary is the greatest number of pieces that a vocabulary may have.
const maxVocabulary = 1 << 20

// pieces is a vocabulary: it divides texts into the pieces that are the most likely together.
type pieces struct {
	all     []string
	scores  []float32
	sorted  []int32 // numbers of the pieces that texts may contain, in the order of their bytes
	first   [257]int32
	unknown float64 // score of a character that no piece has
	normal  normalizer
}

var errBroken = errors.New("it is cut off or broken")

// eachField calls add for each field of a message. value is the content of a field with a length, and number that of
// another.
func eachField(data []byte, add func(field, number uint64, value []byte) error) error {
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 {
			return errBroken
		}
		data = data[n:]
		var number uint64
		var value []byte
		switch tag & 7 {
		case 0:
			if number, n = binary.Uvarint(data); n <= 0 {
				return errBroken
			}
		case 1:
			n = 8
		case 2:
			length, size := binary.Uvarint(data)
			if size <= 0 || length > uint64(len(data)-size) {
				return errBroken
			}
			n = size + int(length)
			value = data[size:n]
		case 5:
			if n = 4; len(data) >= n {
				number = uint64(binary.LittleEndian.Uint32(data))
			}
		default:
			return errBroken
		}
		if n > len(data) {
			return errBroken
		}
		data = data[n:]
		if err := add(tag>>3, number, value); err != nil {
			return err
		}
	}
	return nil
}

func parsePieces(data []byte) (*pieces, error) {
	p := &pieces{}
	err := eachField(data, func(field, _ uint64, value []byte) error {
		switch field {
		case 1:
			return p.addPiece(value)
		case 3:
			return p.normal.parse(value)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(p.all) <= end || len(p.sorted) == 0 {
		return nil, errors.New("it has no pieces")
	}
	p.unknown = float64(slices.Min(p.scores)) - 10
	slices.SortFunc(p.sorted, func(a, b int32) int { return strings.Compare(p.all[a], p.all[b]) })
	for b := range 256 {
		p.first[b+1] = int32(sort.Search(len(p.sorted), func(i int) bool { return int(p.all[p.sorted[i]][0]) > b }))
	}
	return p, nil
}

// addPiece adds a SentencePiece: its text, its score and its type.
func (p *pieces) addPiece(data []byte) error {
	var text string
	var score float32
	kind := uint64(normalPiece)
	err := eachField(data, func(field, number uint64, value []byte) error {
		switch field {
		case 1:
			text = string(value)
		case 2:
			score = math.Float32frombits(uint32(number))
		case 3:
			kind = number
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case len(p.all) == maxVocabulary:
		return fmt.Errorf("it has more than %d pieces", maxVocabulary)
	case text == "" || !utf8.ValidString(text):
		return fmt.Errorf("piece %d is not a text", len(p.all))
	case score != score || math.IsInf(float64(score), 0):
		return fmt.Errorf("piece %d has no score", len(p.all))
	}
	if kind == normalPiece || kind == userPiece || kind == unusedPiece {
		p.sorted = append(p.sorted, int32(len(p.all)))
	}
	p.all, p.scores = append(p.all, text), append(p.scores, score)
	return nil
}

// encode returns the numbers of a text's pieces, between begin and end. There are limit of them at most.
func (p *pieces) encode(text string, limit int) []int32 {
	ids := []int32{begin}
	if s := p.normal.normalize(text); s != "" {
		ids = append(ids, p.divide(s)...)
	} else {
		ids = append(ids, unknown)
	}
	return append(ids[:min(len(ids), limit-1)], end)
}

// divide finds the pieces of s whose scores have the greatest sum (the algorithm of Viterbi). Of two ways with the same
// sum it takes the one whose last piece begins earlier, as SentencePiece does.
func (p *pieces) divide(s string) []int32 {
	type way struct {
		score float64
		from  int32
		piece int32
	}
	best := make([]way, len(s)+1)
	for i := range best[1:] {
		best[i+1].score = math.Inf(-1)
	}
	for i, r := range s {
		single := utf8.RuneLen(r)
		reach := func(length int, piece int32, score float64) {
			if w := &best[i+length]; best[i].score+score > w.score {
				*w = way{best[i].score + score, int32(i), piece}
			}
		}
		known := false
		p.prefixes(s[i:], func(length int, piece int32) {
			known = known || length == single
			reach(length, piece, float64(p.scores[piece]))
		})
		if !known {
			reach(single, unknown, p.unknown)
		}
	}
	var ids []int32
	for at := int32(len(s)); at > 0; at = best[at].from {
		ids = append(ids, best[at].piece)
	}
	slices.Reverse(ids)
	return ids
}

// prefixes calls found for each piece that s begins with, the shortest first. It narrows the sorted pieces down to
// those with the same first bytes, one byte after the other.
func (p *pieces) prefixes(s string, found func(length int, piece int32)) {
	lo, hi := int(p.first[s[0]]), int(p.first[int(s[0])+1])
	for n := 1; lo < hi; n++ {
		if text := p.all[p.sorted[lo]]; len(text) == n {
			found(n, p.sorted[lo])
			lo++
		}
		if n == len(s) {
			return
		}
		part := p.sorted[lo:hi]
		b := s[n]
		from := sort.Search(len(part), func(i int) bool { return p.all[part[i]][n] >= b })
		to := from + sort.Search(len(part)-from, func(i int) bool { return p.all[part[from+i]][n] > b })
		lo, hi = lo+from, lo+to
	}
}

// space stands for a space within pieces.
const space = "\u2581"

// A normalizer replaces characters by others that mean the same, by a table of the form of SentencePiece: a
// double-array trie of Darts-clone, whose values are offsets of texts that end with a zero byte. It makes runs of
// spaces one, and puts one before the text.
type normalizer struct {
	units []uint32
	texts []byte
}

// parse reads a NormalizerSpec.
func (n *normalizer) parse(data []byte) error {
	return eachField(data, func(field, number uint64, value []byte) error {
		switch field {
		case 2:
			return n.parseTable(value)
		case 3, 4, 5: // add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces
			if number == 0 {
				return errors.New("it treats spaces in a way that is not known here")
			}
		}
		return nil
	})
}

func (n *normalizer) parseTable(data []byte) error {
	if len(data) < 4 {
		return errBroken
	}
	size := int(binary.LittleEndian.Uint32(data))
	if data = data[4:]; size%4 != 0 || size > len(data) || size == 0 {
		return errBroken
	}
	n.units = make([]uint32, size/4)
	for i := range n.units {
		n.units[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	n.texts = data[size:]
	if len(n.texts) == 0 || n.texts[len(n.texts)-1] != 0 {
		return errBroken
	}
	return nil
}

// A unit of the trie: bits 0-7 and 31 its label, bit 8 whether a key ends here, and from bit 10 on the distance to its
// children, in units of 256 if bit 9 is set.
func unitOffset(unit uint32) uint32 { return unit >> 10 << (unit & 0x200 >> 6) }

// next returns what the beginning of s becomes, and its length: of the longest key that s begins with, or else of its
// first character, which stays as it is.
func (n *normalizer) next(s string) (text string, length int) {
	if len(n.units) > 0 {
		at := unitOffset(n.units[0])
		value := -1
		for i := range len(s) {
			at ^= uint32(s[i])
			if int(at) >= len(n.units) || n.units[at]&0x800000FF != uint32(s[i]) {
				break
			}
			unit := n.units[at]
			at ^= unitOffset(unit)
			if unit&0x100 != 0 && int(at) < len(n.units) {
				value, length = int(n.units[at]&0x7FFFFFFF), i+1
			}
		}
		if length > 0 && value < len(n.texts) {
			text := n.texts[value:]
			return string(text[:slices.Index(text, 0)]), length
		}
	}
	_, length = utf8.DecodeRuneInString(s)
	return s[:length], length
}

func (n *normalizer) normalize(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/4 + len(space))
	spaced := true // what was written last is a space, or nothing was
	for s != "" {
		text, length := n.next(s)
		s = s[length:]
		if spaced {
			text = strings.TrimLeft(text, " ")
		}
		if text == "" {
			continue
		}
		if b.Len() == 0 {
			b.WriteString(space)
		}
		spaced = text[len(text)-1] == ' '
		b.WriteString(strings.ReplaceAll(text, " ", space))
	}
	out := b.String()
	for strings.HasSuffix(out, space) {
		out = strings.TrimSuffix(out, space)
	}
	return out
}
