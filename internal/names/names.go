// Package names says what people, devices and rooms may be called, and which names
// look alike (Unicode Technical Standard 39). It is the one rule for every way that a
// name comes in.
package names

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	maxMarks = 5 // on one letter: more than any language has

	zwnj = '\u200c'
	zwj  = '\u200d'
)

// Check returns a name as it is kept: composed (NFC), with plain spaces between its
// words. limit is in characters; required refuses an empty one. A name with signs that
// cannot be seen or that turn the direction of text, with piled up marks, or with a word
// of Latin letters and others that look like them, is refused with a sentence that says
// so. pointer is where the name stands in the request.
func Check(pointer, name string, limit int, required bool) (string, error) {
	words := strings.FieldsFunc(name, func(r rune) bool { return unicode.Is(unicode.Zs, r) })
	name = strings.Join(words, " ")
	name, err := domain.CheckLine(pointer, norm.NFC.String(name), limit, required)
	if err != nil || name == "" {
		return name, err
	}
	if r, ok := hidden(name); ok {
		return "", domain.InvalidField(pointer, "this has a sign that cannot be seen (U+%04X); remove it", r)
	}
	if !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r) || unicode.IsPunct(r)
	}) {
		return "", domain.InvalidField(pointer, "this has nothing that can be read; use letters")
	}
	if piled(name) {
		return "", domain.InvalidField(pointer, "this has too many marks on one letter")
	}
	for _, word := range strings.FieldsFunc(name,
		func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		if mixed(word) {
			return "", domain.InvalidField(pointer, "%q mixes letters of several alphabets that look alike; write it in one",
				word)
		}
	}
	return name, nil
}

// CheckPrincipal is Check for the name that a person or a device is shown by, which may
// not look like one that the server speaks of everybody or of itself by.
func CheckPrincipal(pointer, name string, limit int, required bool) (string, error) {
	name, err := Check(pointer, name, limit, required)
	if err == nil && domain.ReservedName(Skeleton(strings.TrimPrefix(name, "@")), Skeleton) {
		return "", domain.InvalidField(pointer, "%q is reserved; choose another", name)
	}
	return name, err
}

// CheckUsername returns a username as it is kept, unless it looks like a reserved one.
func CheckUsername(name string) (string, error) {
	name, err := domain.CheckUsername(name)
	if err == nil && domain.ReservedName(Skeleton(name), Skeleton) {
		return "", domain.InvalidField("/username", "%q is reserved; choose another", name)
	}
	return name, err
}

// officialNames would be taken for whoever runs the server.
var officialNames = []string{"root", "admin", "administrator", "support", "moderator", "null"}

// CheckChosenUsername is CheckUsername for a name that somebody takes by themselves: it
// may not look like one of whoever runs the server either.
func CheckChosenUsername(name string) (string, error) {
	name, err := CheckUsername(name)
	if err != nil {
		return "", err
	}
	form := Skeleton(name)
	if slices.ContainsFunc(officialNames, func(official string) bool { return Skeleton(official) == form }) {
		return "", domain.InvalidField("/username", "%q is reserved; choose another", name)
	}
	return name, nil
}

// hidden finds a sign that is not seen by itself. Some belong into words of some
// scripts and into emoji, and are let through there.
func hidden(name string) (rune, bool) {
	before := rune(0)
	for i, r := range name {
		after, _ := utf8.DecodeRuneInString(name[i+utf8.RuneLen(r):])
		switch {
		case r == zwnj || r == zwj:
			inWord := joining(before) && (joining(after) || unicode.IsLetter(after))
			if !inWord && !(r == zwj && emoji(before) && emoji(after)) {
				return r, true
			}
		case r == '\ufe0f' && emoji(before), r == '\ufe0e' && emoji(before):
		case !unicode.IsGraphic(r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r),
			unicode.Is(unicode.Variation_Selector, r),
			r == '\u2800', r == '\ufffc', r == '\ufffd', r == '\u034f':
			return r, true
		}
		before = r
	}
	return 0, false
}

// joining is true of letters and marks of the scripts whose spelling needs joiners.
func joining(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Devanagari, unicode.Bengali,
		unicode.Gurmukhi, unicode.Gujarati,
		unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer,
		unicode.Myanmar)
}

// emoji is true of what an emoji is made of: symbols, their colours and selectors, and
// what a keycap is drawn on.
func emoji(r rune) bool {
	return unicode.Is(unicode.So, r) || unicode.Is(unicode.Sk, r) && r > 0xffff || r == '\ufe0f' ||
		r == '#' || r == '*' || r >= '0' && r <= '9' || r >= '↔' && r <= '↪'
}

func piled(name string) bool {
	n := 0
	for _, r := range norm.NFD.String(name) {
		if n++; !unicode.IsMark(r) {
			n = 0
		}
		if n > maxMarks {
			return true
		}
	}
	return false
}

// mixed reports whether word has Latin letters and one of another script that looks
// like a Latin one.
func mixed(word string) bool {
	latin, alike := false, false
	for _, r := range word {
		switch {
		case unicode.Is(unicode.Latin, r):
			latin = true
		case unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Lisu,
			unicode.Deseret):
			s := Skeleton(string(r))
			alike = alike || len(s) > 0 && s[0] < utf8.RuneSelf
		}
	}
	return latin && alike
}
