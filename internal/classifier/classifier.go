// Package classifier scores messages: how likely they are rough language, or spam. Both models are small, run in
// microseconds and know neither who wrote a message nor what it means. docs/moderation.md says how often they are
// right. tools/classifier makes their weights.
package classifier

import (
	_ "embed"
	"encoding/binary"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

//go:embed rough.tsv
var roughFile string

//go:embed spam.bin
var spamFile []byte

// logistic returns 1/(1+e^-x).
func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// A lexicon is the model of rough language: what words weigh, and the logistic function of their weighted share of a
// text.
type lexicon struct {
	slope, offset float64
	weights       map[string]float64
}

var rough = sync.OnceValue(func() (l lexicon) {
	l.weights = map[string]float64{}
	for line := range strings.Lines(roughFile) {
		word, number, found := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !found {
			continue // a comment
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil {
			panic("rough.tsv: " + err.Error())
		}
		switch word {
		case "slope":
			l.slope = n
		case "offset":
			l.offset = n
		default:
			l.weights[word] = n
		}
	}
	return l
})

// Squares of what a word counts in the length of a text: one that the model knows, and any other.
const (
	knownWord = 81
	otherWord = 16
)

// Rough returns how likely text is rough language, from 0 to 1, and the words that say so, each once. It knows words of
// English, German, French and Spanish, as they are spelled. Of a text with none of them the score is 0.
func Rough(text string) (score float64, words []string) {
	l := rough()
	seen := map[string]bool{}
	var total, norm float64
	for _, w := range strings.FieldsFunc(strings.ToLower(text), notInWord) {
		if len(w) < 2 {
			continue
		}
		weight := l.weights[w]
		total += weight
		switch {
		case seen[w]:
			continue
		case weight > 0:
			norm += knownWord
			words = append(words, w)
		default:
			norm += otherWord
		}
		seen[w] = true
	}
	if len(words) == 0 {
		return 0, nil
	}
	return logistic(l.slope*total/math.Sqrt(norm) + l.offset), words
}

func notInWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) && r != '_' }

const (
	buckets   = 1 << 16
	maxRunes  = 1000 // of a text that Spam looks at
	linkMark  = "\x01"
	mailMark  = "\x02"
	headBytes = 8
)

var (
	links   = regexp.MustCompile(`(?:https?://|www\.)\S+`)
	mails   = regexp.MustCompile(`\S+@\S+`)
	numbers = regexp.MustCompile(`[0-9]+`)
)

// Spam returns how likely text is spam, from 0 to 1. It learned from mail and from lines of chat, most of them English.
// It looks at the first 1,000 characters.
func Spam(text string) float64 {
	found := parts(text)
	if len(found) == 0 {
		return 0
	}
	step := math.Float32frombits(binary.LittleEndian.Uint32(spamFile))
	bias := math.Float32frombits(binary.LittleEndian.Uint32(spamFile[4:]))
	var sum int
	for p := range found {
		sum += int(int8(spamFile[headBytes+p]))
	}
	return logistic(float64(step)*float64(sum)/math.Sqrt(float64(len(found))) + float64(bias))
}

// parts are the hashes of all parts of a text that are 3, 4 or 5 characters long.
func parts(text string) map[int]struct{} {
	text = strings.ToLower(text)
	text = links.ReplaceAllString(text, linkMark)
	text = mails.ReplaceAllString(text, mailMark)
	text = numbers.ReplaceAllString(text, "0")
	runes := []rune(" " + strings.Join(strings.Fields(text), " ") + " ")
	if len(runes) == 2 {
		return nil
	}
	runes = runes[:min(len(runes), maxRunes)]
	found := make(map[int]struct{}, 3*len(runes))
	for n := 3; n <= 5; n++ {
		for i := 0; i+n <= len(runes); i++ {
			found[hash(string(runes[i:i+n]))] = struct{}{}
		}
	}
	return found
}

// hash is FNV-1a with 32 bits, folded to a bucket.
func hash(s string) int {
	h := uint32(2166136261)
	for _, b := range []byte(s) {
		h = (h ^ uint32(b)) * 16777619
	}
	return int((h ^ h>>16) % buckets)
}
