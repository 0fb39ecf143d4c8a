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

// confusables.txt has a line for each character that others look like: itself, and
// those. It is made of Unicode's table.
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

// Skeleton is what names that look alike have in common: the skeleton of UTS 39, made
// without case. It is no name, and for comparing alone. A character may be written with
// several, so that it is longer than the name by a bounded factor.
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
