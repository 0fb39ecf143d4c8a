// Package fulltext splits text into the words of the search index, and parses queries. Messages and
// queries are split in the same way, for both databases, so that neither database's own text search
// configuration matters.
//
// Words are runs of letters, digits and marks, without case, accents and compatibility forms
// (Unicode NFKD). Scripts without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese and others)
// are split into overlapping pairs of characters. So is Korean, which appends particles to words. A
// symbol such as an emoji is a word.
package fulltext

import (
	"iter"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/rangetable"
)

// Token is a word of a text and its position, in bytes.
type Token struct {
	Word       string
	Start, End int

	unspaced bool
	last     bool // the last character of a run of an unspaced script, without a successor
}

// unspaced are the scripts that are split into pairs. Some Japanese characters belong to no script
// or to several.
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
	pair // characters of an unspaced script
	sign // a symbol, which is a word
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

// symbol reports whether r is an emoji or a similar symbol. Symbols that NFKD turns into ASCII text
// are left out.
func symbol(r rune) bool { return r > 0xff && unicode.Is(unicode.So, r) }

// joins reports whether r is part of the word it is in the middle of: marks, and joiners and
// non-joiners.
func joins(r rune) bool {
	return r >= utf8.RuneSelf && (unicode.IsMark(r) || r == '\u200c' || r == '\u200d' || r == '\u00ad' || r == '\u2060')
}

// run is a run of text of one class.
type run struct {
	start, end int
	class      class
}

// runs splits text into runs, in linear time.
func runs(text string) iter.Seq[run] {
	return func(yield func(run) bool) {
		for i := 0; i < len(text); {
			r, size := utf8.DecodeRuneInString(text[i:])
			c, end := classOf(r), i+size
			for c != gap && end < len(text) {
				r, size := utf8.DecodeRuneInString(text[end:])
				if !joins(r) && (c == sign || classOf(r) != c) {
					break
				}
				end += size
			}
			if c != gap && !yield(run{i, end, c}) {
				return
			}
			i = end
		}
	}
}

// usualWord is the length of a word and what is between it and the next, in bytes, in most languages.
const usualWord = 6

// Tokens returns the words of text in their order, in linear time.
func Tokens(text string) []Token {
	tokens := make([]Token, 0, len(text)/usualWord+1)
	for r := range runs(text) {
		if r.class == pair {
			tokens = append(tokens, pairs(clusters(text, r))...)
		} else if w := fold(text[r.start:r.end]); w != "" {
			tokens = append(tokens, Token{Word: w, Start: r.start, End: r.end})
		}
	}
	return tokens
}

// cluster is a user-perceived character: its position in bytes, and its searched form.
type cluster struct {
	start, end int
	word       string
}

// clusters splits a run of an unspaced script into characters: a letter with its marks, or a Korean
// syllable in any normalization form.
func clusters(text string, r run) (cs []cluster) {
	for i := r.start; i < r.end; {
		end := i + norm.NFKC.NextBoundaryInString(text[i:r.end], true)
		for end < r.end { // NFKC separates it, but it is not a character by itself
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

// pairs returns overlapping pairs of characters, and the last character alone, so that every
// character begins a token.
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
