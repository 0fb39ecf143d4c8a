package names

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

//go:generate sh -c "curl -fsS https://www.unicode.org/Public/security/latest/confusables.txt | go run mkconfusables.go"

// confusables.txt is generated from Unicode's table. A line has a character, followed by those that
// look like it.
//
//go:embed confusables.txt
var table string

var prototypes = sync.OnceValue(func() map[rune]string {
	m := make(map[rune]string)
	for line := range strings.Lines(table) {
		prototype, alike, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		for _, r := range alike {
			m[r] = prototype
		}
	}
	return m
})

// Skeleton returns the skeleton of a name (UTS 39), without case. Names that look alike have the
// same one. It is for comparison only. It may be longer than the name by a bounded factor.
func Skeleton(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(name) {
		if r < utf8.RuneSelf {
			r = unicode.ToLower(r)
		}
		p, ok := prototypes()[r]
		if !ok {
			r = unicode.ToLower(r)
			p, ok = prototypes()[r]
		}
		switch {
		case ok:
			b.WriteString(p)
		case r < utf8.RuneSelf || unicode.IsGraphic(r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}
