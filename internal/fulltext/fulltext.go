// Package fulltext turns text into the words that are searched, the same for
// both databases: an index holds the words of messages, and a query is made of
// words in the same way, so that neither database's own idea of a language
// matters.
//
// Words are runs of letters, digits and marks, without case, accents and
// compatibility forms (Unicode NFKD). Scripts that are written without spaces
// (Chinese, Japanese, Thai, Lao, Khmer, Burmese and others), and Korean, which puts
// its particles right behind a word, are cut into overlapping pairs of characters. A
// symbol such as an emoji is a word.
package fulltext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/rangetable"
)

// Token is one word of a text and where it stands, in bytes.
type Token struct {
	Word       string
	Start, End int

	unspaced bool
	last     bool // the last character of a run of an unspaced script, alone
}

// unspaced are the scripts that are cut into pairs. Some signs of Japanese are of no
// script, or of several.
var unspaced = rangetable.Merge(
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Hangul, unicode.Yi,
	unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tai_Le, unicode.New_Tai_Lue, unicode.Tai_Tham,
	unicode.Tai_Viet,
	unicode.Javanese, unicode.Balinese,
	rangetable.New('〆', '〱', '〲', '〳', '〴', '〵', '〼', 'ー', 'ｰ', 'ﾞ', 'ﾟ'),
)

type class int

const (
	gap class = iota
	letter
	pair // of a script without spaces
	sign // a symbol: a word by itself
)

func classOf(r rune) class {
	switch {
	case r < utf8.RuneSelf:
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return letter
		}
		return gap
	case r == utf8.RuneError:
		return gap
	case unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsMark(r) && !dropped(r):
		if unicode.Is(unspaced, r) {
			return pair
		}
		return letter
	case symbol(r):
		return sign
	}
	return gap
}

// symbol is true of emoji and their like. Those that say something in ASCII by NFKD
// are left out.
func symbol(r rune) bool { return r > 0xff && unicode.Is(unicode.So, r) }

// joins reports whether r, in the middle of a word, is a part of it: marks, and what
// tells letters to join or not.
func joins(r rune) bool {
	return r >= utf8.RuneSelf && (unicode.IsMark(r) || r == '\u200c' || r == '\u200d' || r == '\u00ad' || r == '\u2060')
}

// run is a stretch of text of one class.
type run struct {
	start, end int
	class      class
}

// runs cuts text into its words and what is cut further. It takes time linear in the
// length of text.
func runs(text string) (rs []run) {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		c := classOf(r)
		if c == gap {
			i += size
			continue
		}
		end := i + size
		for end < len(text) {
			r, size := utf8.DecodeRuneInString(text[end:])
			if !joins(r) && (c == sign || classOf(r) != c) {
				break
			}
			end += size
		}
		rs = append(rs, run{i, end, c})
		i = end
	}
	return rs
}

// Tokens returns the words of text in the order in which they stand. It takes
// time linear in the length of text.
func Tokens(text string) []Token {
	var tokens []Token
	for _, r := range runs(text) {
		if r.class == pair {
			tokens = append(tokens, pairs(clusters(text, r))...)
		} else if w := fold(text[r.start:r.end]); w != "" {
			tokens = append(tokens, Token{Word: w, Start: r.start, End: r.end})
		}
	}
	return tokens
}

// cluster is what reads as one character, in bytes of a text, and its searched form.
type cluster struct {
	start, end int
	word       string
}

// clusters cuts a run of an unspaced script into characters: a letter with its marks, a
// syllable of Korean however it is written.
func clusters(text string, r run) (cs []cluster) {
	for i := r.start; i < r.end; {
		end := i + norm.NFKC.NextBoundaryInString(text[i:r.end], true)
		for end < r.end { // what NFKC keeps apart, and yet is no character by itself
			next, size := utf8.DecodeRuneInString(text[end:])
			if !joins(next) {
				break
			}
			end += size
		}
		if w := fold(text[i:end]); w != "" {
			cs = append(cs, cluster{i, end, w})
		}
		i = end
	}
	return cs
}

// pairs are overlapping pairs of characters, and the last one alone, so that every
// character begins some token.
func pairs(cs []cluster) []Token {
	tokens := make([]Token, 0, len(cs))
	for i, c := range cs {
		t := Token{Word: c.word, Start: c.start, End: c.end, unspaced: true, last: true}
		if i+1 < len(cs) {
			t.Word, t.End, t.last = cut(c.word+cs[i+1].word), cs[i+1].end, false
		}
		tokens = append(tokens, t)
	}
	return tokens
}

// HasLink reports whether text holds a link to the web.
func HasLink(text string) bool {
	return strings.Contains(text, "https://") || strings.Contains(text, "http://")
}
