// Package language says which language a message is in. The script decides, and where several languages share one, a
// naive Bayes classifier over sequences of two to five bytes, whose weights are those of py3langid (LICENSE.model);
// tools/language/model.py writes them. A text that is short, mixed or in a language that is not named is Unknown.
package language

import (
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Unknown is the language of texts that are too short or unclear.
const Unknown = "unknown"

const (
	textMost   = 600 // bytes that are looked at
	lettersMin = 6   // below, a text of letters is unknown
	signsMin   = 2   // the same for scripts of which a character is a syllable or a word
	share      = 0.6 // of the letters that one script must have
	certain    = 0.4 // least probability
)

// A script is the letters of one or more languages.
type script int

const (
	latin script = iota
	cyrillic
	arabic
	cjk
	others // the first of those that one language is named for
)

// alone are scripts of which a text is taken to be in one language, the one with the most speakers.
var alone = []struct {
	table *unicode.RangeTable
	code  string
}{
	{unicode.Greek, "el"}, {unicode.Hebrew, "he"}, {unicode.Thai, "th"}, {unicode.Hangul, "ko"},
	{unicode.Devanagari, "hi"}, {unicode.Georgian, "ka"}, {unicode.Armenian, "hy"}, {unicode.Bengali, "bn"},
	{unicode.Tamil, "ta"}, {unicode.Telugu, "te"},
}

// Codes returns the languages that Of tells apart, by ISO 639-1, in the order of the alphabet.
var Codes = sync.OnceValue(func() []string {
	codes := []string{"ja", "zh"}
	for _, a := range alone {
		codes = append(codes, a.code)
	}
	for _, m := range models() {
		codes = append(codes, m.codes[:m.named]...)
	}
	slices.Sort(codes)
	return codes
})

// same are languages that are not told apart from another one, and other names of languages.
var same = map[string]string{"nb": "no", "nn": "no", "bs": "hr", "ms": "id", "iw": "he", "in": "id", "ne": "hi", "mr": "hi"}

// Parse returns the language that a code names: one of Codes, with a region (pt-BR) or without, or Unknown.
func Parse(code string) (_ string, ok bool) {
	code, _, _ = strings.Cut(strings.ToLower(code), "-")
	if other, ok := same[code]; ok {
		code = other
	}
	return code, code == Unknown || slices.Contains(Codes(), code)
}

// Of returns the language of a message, or Unknown.
func Of(text string) string {
	words := clean(text)
	counts := make([]int, int(others)+len(alone))
	total, kana := 0, 0
	for _, r := range words {
		if 'a' <= r && r <= 'z' {
			total++
			counts[latin]++
			continue
		}
		s, ok := scriptOf(r)
		if !ok {
			continue
		}
		total++
		if s < 0 {
			continue
		}
		counts[s]++
		if s == cjk && unicode.In(r, unicode.Hiragana, unicode.Katakana) {
			kana++
		}
	}
	for i, n := range counts {
		s := script(i)
		if float64(n) < share*float64(total) {
			continue
		}
		switch {
		case s == cjk && n >= signsMin && 10*kana >= n:
			return "ja"
		case s == cjk && n >= 2*signsMin && kana == 0:
			return "zh" // of fewer characters it may as well be Japanese
		case s >= others && n >= signsMin:
			return alone[s-others].code
		case s <= arabic && n >= lettersMin:
			return models()[s].guess(words)
		}
	}
	return Unknown
}

// clean returns the words of text alone, small, with one space between them.
func clean(text string) string {
	text = norm.NFC.String(cut(text, 4*textMost))
	b := make([]byte, 0, min(len(text), textMost)+2)
	for len(text) > 0 && len(b) < textMost {
		if text[0] == '`' {
			text = text[codeSpan(text):]
			b = gap(b)
			continue
		}
		n := 0
		for n < len(text) && text[n] != '`' && !space(text[n]) {
			n++
		}
		b = appendWord(b, telling(text[:n]))
		if n < len(text) && text[n] != '`' {
			b = gap(b)
			n++
		}
		text = text[n:]
	}
	return string(b)
}

func space(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// gap returns b with a space at its end, unless there is one, or nothing before it.
func gap(b []byte) []byte {
	if len(b) > 0 && b[len(b)-1] != ' ' {
		b = append(b, ' ')
	}
	return b
}

// codeSpan returns the length of the code at the begin of text, which is a back quote: to the other three or one, and
// 1 if that is missing. Three that are alone end with the text.
func codeSpan(text string) int {
	const fence = "```"
	if strings.HasPrefix(text, fence) {
		end := strings.Index(text[len(fence):], fence)
		if end < 0 {
			return len(text)
		}
		return end + 2*len(fence)
	}
	end := strings.IndexAny(text[1:], "`\n")
	if end < 0 || text[1+end] == '\n' {
		return 1
	}
	return end + 2
}

// telling returns what says something of the language of a word: nothing of an address, a path or what has digits, and
// what is before a name of somebody or something else.
func telling(word string) string {
	end := len(word)
	for i := range len(word) {
		switch c := word[i]; {
		case '0' <= c && c <= '9' || c == '_' || c == '/' || c == '\\' || c == '@' && 0 < i && i < len(word)-1:
			return ""
		case i < len(word)-1 && (c == '@' || c == '#' || c == ':'):
			end = min(end, i)
		}
	}
	if www := strings.Index(word, "www."); www >= 0 {
		end = min(end, www)
	}
	return word[:end]
}

// appendWord appends the letters of a word to b, small, with a space where others are between them.
func appendWord(b []byte, word string) []byte {
	for _, r := range word {
		switch {
		case len(b) >= textMost:
			return b
		case 'a' <= r && r <= 'z' || r == '\'':
			b = append(b, byte(r))
		case r < utf8.RuneSelf && (r < 'A' || 'Z' < r):
			b = gap(b)
		case unicode.IsLetter(r), unicode.IsMark(r), r == '’', r == '\u200c':
			b = utf8.AppendRune(b, unicode.ToLower(r))
		default:
			b = gap(b)
		}
	}
	return b
}

// cut returns the begin of text, at most so many bytes.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

func scriptOf(r rune) (script, bool) {
	switch {
	case !unicode.IsLetter(r):
		return 0, false
	case r < 0x250 || unicode.Is(unicode.Latin, r):
		return latin, true
	case unicode.Is(unicode.Cyrillic, r):
		return cyrillic, true
	case unicode.Is(unicode.Arabic, r):
		return arabic, true
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
		return cjk, true
	}
	for i, a := range alone {
		if unicode.Is(a.table, r) {
			return others + script(i), true
		}
	}
	return -1, true // counts as a letter, and is of no language that is named
}

// guess returns the most likely language of words in the script of m, or Unknown.
func (m *model) guess(words string) string {
	text := " " + strings.TrimSpace(words) + " "
	var few [256]int32
	found := few[:0]
	for end := 2; end <= len(text); end++ {
		for n := min(longest, end); n >= 2; n-- {
			if at := m.features.find(key(text[end-n : end])); at >= 0 {
				found = append(found, at)
				break
			}
		}
	}
	slices.Sort(found)
	scores := make([]float64, len(m.codes))
	for i := 0; i < len(found); {
		at, first := found[i], i
		for i < len(found) && found[i] == at {
			i++
		}
		weight := math.Log1p(float64(i-first)) / step
		for k, w := range m.weights[int(at)*len(m.codes):][:len(m.codes)] {
			scores[k] -= weight * float64(w)
		}
	}
	best := 0
	for i, s := range scores {
		if s > scores[best] {
			best = i
		}
	}
	// Features of a text depend on each other, so that it says less than each of them would: the root of its length
	// keeps probabilities honest.
	sum, root := 0.0, math.Sqrt(float64(len(text)))
	for _, s := range scores {
		sum += math.Exp((s - scores[best]) / root)
	}
	if len(found) == 0 || best >= m.named || 1/sum < certain {
		return Unknown
	}
	return m.codes[best]
}
