package names

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const maxCleaned = 1024 // bytes of a name that are looked at

// Clean returns of a name that a program sent one that CheckPrincipal takes, of at most limit characters: without an @
// at its beginning, and without what cannot be seen or turns the direction of text. It is empty if there is none.
func Clean(name string, limit int) string {
	name = strings.ToValidUTF8(name[:min(len(name), maxCleaned)], "")
	name = norm.NFC.String(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, name))
	for {
		r, ok := hidden(name)
		if !ok {
			break
		}
		name = strings.ReplaceAll(name, string(r), "")
	}
	name = strings.Join(strings.Fields(strings.TrimLeft(name, "@ ")), " ")
	if runes := []rune(name); len(runes) > limit {
		name = strings.TrimSpace(string(runes[:limit]))
	}
	name, err := CheckPrincipal("", name, limit, false)
	if err != nil {
		return ""
	}
	return name
}
