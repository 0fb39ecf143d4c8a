package fulltext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxWord limits words, in bytes. Longer ones are cut, in messages and in queries.
const maxWord = 64

// spelled are letters that NFKD does not decompose, with the letters that people write in their
// place if their keyboard lacks them.
var spelled = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'þ': "th", 'ł': "l", 'ħ': "h", 'ŧ': "t", 'ŋ': "n",
}

// written are the scripts whose marks people leave out: accents, Hebrew points and Arabic vowels.
// In other scripts a mark is part of the word.
var written = []*unicode.RangeTable{
	unicode.Inherited, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Hebrew, unicode.Arabic, unicode.Syriac,
}

// The marks of voiced kana (か to が), and the Arabic tatweel.
const (
	voiced     = '\u3099'
	halfVoiced = '\u309a'
	tatweel    = '\u0640'
)

// dropped reports whether a mark or joiner is not part of the searched form.
func dropped(r rune) bool {
	switch {
	case r == voiced, r == halfVoiced:
		return false
	case r == tatweel, unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
		return true
	}
	return unicode.IsMark(r) && unicode.In(r, written...)
}

// fold returns the searched form of a word: case-folded, in compatibility form, and without the
// marks that people leave out.
func fold(word string) string {
	if ascii(word) {
		return strings.ToLower(word[:min(len(word), maxWord)])
	}
	if len(word) > 4*maxWord {
		word = strings.ToValidUTF8(word[:4*maxWord], "")
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(word) {
		if dropped(r) || !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) && !symbol(r) {
			continue
		}
		r = unicode.ToLower(unicode.ToUpper(r)) // ς and σ are the same letter
		if s, ok := spelled[r]; ok {
			b.WriteString(s)
		} else {
			b.WriteRune(r)
		}
	}
	return cut(norm.NFC.String(b.String()))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// cut shortens word to maxWord bytes, at a character boundary.
func cut(word string) string {
	if len(word) <= maxWord {
		return word
	}
	end := maxWord
	for !utf8.RuneStart(word[end]) {
		end--
	}
	return word[:end]
}

// Name returns the searched form of a name: its words, each after a space, where each character of
// a script without spaces is a word. A name matches a query by the begin of a word if its form
// contains the form of the query.
func Name(s string) string {
	var b strings.Builder
	for r := range runs(s) {
		if r.class != pair {
			if w := fold(s[r.start:r.end]); w != "" {
				b.WriteString(" " + w)
			}
			continue
		}
		for _, c := range clusters(s, r) {
			if w := fold(s[c.start:c.end]); w != "" {
				b.WriteString(" " + w)
			}
		}
	}
	return b.String()
}
