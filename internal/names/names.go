// Package names checks the names of people, devices and rooms, and finds names that look alike
// (Unicode Technical Standard 39). All names that enter the system are checked here.
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
	maxMarks = 5 // on one letter: more than any language uses

	zwnj = '\u200c'
	zwj  = '\u200d'
)

// Check returns a name in its stored form: NFC, with single ASCII spaces between words. limit is in
// characters, and required refuses the empty name. Names are refused if they contain invisible or
// bidirectional control characters, too many marks on a letter, or a word that mixes Latin letters
// with letters that look like them. pointer is the JSON pointer of the name in the request, for
// errors.
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

// CheckPrincipal is Check for the display name of a person or device. The name must not look like
// one reserved for the server itself or for everybody in a room.
func CheckPrincipal(pointer, name string, limit int, required bool) (string, error) {
	name, err := Check(pointer, name, limit, required)
	if err == nil && domain.ReservedName(Skeleton(strings.TrimPrefix(name, "@")), Skeleton) {
		return "", domain.InvalidField(pointer, "%q is reserved; choose another", name)
	}
	return name, err
}

// CheckUsername returns a username in its stored form, or an error if it is invalid or looks like a
// reserved one.
func CheckUsername(name string) (string, error) {
	name, err := domain.CheckUsername(name)
	if err == nil && domain.ReservedName(Skeleton(name), Skeleton) {
		return "", domain.InvalidField("/username", "%q is reserved; choose another", name)
	}
	return name, err
}

// officialNames would be taken for names of the server's operator.
var officialNames = []string{"root", "admin", "administrator", "support", "moderator", "null"}

// CheckChosenUsername is CheckUsername for a name that a user chooses. It must not look like one of
// officialNames either.
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

// CheckHandle returns the handle of a user group in its stored form, which is that of a username.
func CheckHandle(name string) (string, error) {
	handle, err := CheckUsername(name)
	if err != nil {
		return "", domain.InvalidField("/handle", "%q cannot be a handle: it has 2 to 32 letters a-z, digits, dots, "+
			"hyphens or underscores, begins and ends with a letter or digit, and is no reserved name such as room", name)
	}
	return handle, nil
}

// hidden returns an invisible character in name, if any. Those that belong to words of some scripts
// or to emoji are allowed there.
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

// joining reports whether r is of a script whose spelling needs joiners.
func joining(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Devanagari, unicode.Bengali,
		unicode.Gurmukhi, unicode.Gujarati,
		unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer,
		unicode.Myanmar)
}

// emoji reports whether r may be part of an emoji: symbols, skin tones, selectors, and the base
// characters of keycaps.
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

// mixed reports whether word has both Latin letters and letters of another script that look like
// Latin ones.
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
