package domain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What the rules of messages ask about one character. The web client has the
// same in web/src/view/room/chars.ts. -1 stands for the edge of a text.

// unspaced are the scripts that put no spaces between words, or set suffixes
// right behind foreign words.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo,
	unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar}

const longVowel = '\u30fc' // of Katakana and Hiragana, but Unicode gives it no script

func runeAt(s string, i int) rune {
	if i >= len(s) {
		return -1
	}
	r, _ := utf8.DecodeRuneInString(s[i:])
	return r
}

func runeBefore(s string, i int) rune {
	if i <= 0 {
		return -1
	}
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return r
}

func asciiWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// isWordRune reports a letter, a digit, or a mark on one; the marks that make
// an emoji are not.
func isWordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 0 && asciiWord(byte(r))
	}
	return unicode.In(r, unicode.L, unicode.N, unicode.M) && r != '\ufe0f' && r != '\u20e3'
}

func isUnspaced(r rune) bool {
	return r >= '\u0e00' && (unicode.In(r, unspaced...) || r == longVowel)
}

// joinsWord reports a letter or digit that would make one word with its neighbour.
func joinsWord(r rune) bool { return isWordRune(r) && !isUnspaced(r) }

// isBlank reports what JavaScript's trim takes away.
func isBlank(r rune) bool {
	return r == -1 || unicode.Is(unicode.Z, r) || r >= '\t' && r <= '\r' || r == '\ufeff'
}

func trimBlank(s string) string { return strings.TrimFunc(s, isBlank) }

// endsAddress reports what no address has inside: white space, control
// characters, emoji, quotation marks, brackets and stops of full width.
func endsAddress(r rune) bool {
	if r < utf8.RuneSelf {
		return r <= ' ' || r == 0x7f || strings.ContainsRune("<>\"`\\", r)
	}
	return unicode.In(r, unicode.Z, unicode.C, unicode.So, unicode.Sk, unicode.Pi, unicode.Pf, unicode.Ps, unicode.Pe) ||
		r == '\u2026' || !assigned(r) || r >= '\u3000' && unicode.In(r, unicode.P, unicode.S)
}

// assigned reports whether Unicode has given r to a character.
func assigned(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.C)
}
