// Package fulltext turns text into the words that are searched, the same for
// both databases: an index holds the words of messages, and a query is made of
// words in the same way, so that neither database's own idea of a language
// matters.
//
// Words are runs of letters and digits, without case, diacritics and
// compatibility forms (Unicode NFKD). Scripts that are written without spaces
// (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese) are cut into
// overlapping pairs of characters.
package fulltext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxWord bounds a word, in bytes: what is longer is cut, here as in a query.
const maxWord = 64

// Token is one word of a text and where it stands, in bytes.
type Token struct {
	Word       string
	Start, End int
}

// unspaced are the scripts written without spaces between words.
var unspaced = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul,
	unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

type class int

const (
	gap class = iota
	letter
	pair // of a script without spaces
)

func classOf(r rune) class {
	switch {
	case r == utf8.RuneError:
		return gap
	case r >= 0x0e00 && unicode.In(r, unspaced...) && (unicode.IsLetter(r) || unicode.IsMark(r)):
		return pair
	case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsNumber(r):
		return letter
	}
	return gap
}

// Tokens returns the words of text in the order in which they stand. It takes
// time linear in the length of text.
func Tokens(text string) []Token {
	var tokens []Token
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		c := classOf(r)
		if c == gap {
			i += size
			continue
		}
		end := runEnd(text, i+size, c)
		if c == letter {
			if w := fold(text[i:end]); w != "" {
				tokens = append(tokens, Token{w, i, end})
			}
		} else {
			tokens = append(tokens, pairs(text[i:end], i)...)
		}
		i = end
	}
	return tokens
}

// runEnd is the end of the run of class c that text[i:] goes on with. Marks
// belong to the letter before them.
func runEnd(text string, i int, c class) int {
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		if classOf(r) != c && !unicode.Is(unicode.Mn, r) {
			break
		}
		i += size
	}
	return i
}

// fold makes the searched form of a word.
func fold(word string) string {
	if len(word) > 4*maxWord {
		word = strings.ToValidUTF8(word[:4*maxWord], "")
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(word) {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			if b.Len()+utf8.RuneLen(r) > maxWord {
				break
			}
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// pairs cuts a run of an unspaced script into overlapping pairs, and ends with
// its last character alone, so that every character begins some token.
func pairs(run string, offset int) []Token {
	var starts []int
	for i, r := range run {
		if !unicode.Is(unicode.Mn, r) || i == 0 {
			starts = append(starts, i)
		}
	}
	starts = append(starts, len(run))
	var tokens []Token
	for i := range len(starts) - 1 {
		end := starts[min(i+2, len(starts)-1)]
		if w := fold(run[starts[i]:end]); w != "" {
			tokens = append(tokens, Token{w, offset + starts[i], offset + end})
		}
	}
	return tokens
}

// HasLink reports whether text holds a link to the web.
func HasLink(text string) bool {
	return strings.Contains(text, "https://") || strings.Contains(text, "http://")
}
