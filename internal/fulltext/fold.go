package fulltext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxWord bounds a word, in bytes: what is longer is cut, here as in a query.
const maxWord = 64

// spelled are the letters that NFKD leaves whole, though people who lack the key write
// another instead.
var spelled = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'þ': "th", 'ł': "l", 'ħ': "h", 'ŧ': "t", 'ŋ': "n",
}

// written are the scripts whose marks people leave out: accents, Hebrew points and
// Arabic vowels. Elsewhere a mark is a letter as others are.
var written = []*unicode.RangeTable{
	unicode.Inherited, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Hebrew, unicode.Arabic, unicode.Syriac,
}

// The marks of voiced kana, か to が, and the stretched Arabic line.
const (
	voiced     = '\u3099'
	halfVoiced = '\u309a'
	tatweel    = '\u0640'
)

// dropped reports whether a mark, or what joins letters, is no part of a word.
func dropped(r rune) bool {
	switch {
	case r == voiced, r == halfVoiced:
		return false
	case r == tatweel, unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
		return true
	}
	return unicode.IsMark(r) && unicode.In(r, written...)
}

// fold makes the searched form of a word: without case (as Unicode folds it), marks
// that people leave out, and compatibility forms.
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
		r = unicode.ToLower(unicode.ToUpper(r)) // ς and σ are one letter
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

// cut bounds a word at the beginning of a character.
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

// Name is what a name is found by: its words, each behind a space, and each character
// of a script without spaces as a word. A name is found by the beginning of a word of
// it if its form contains the form of what is looked for.
func Name(s string) string {
	var b strings.Builder
	for _, r := range runs(s) {
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
