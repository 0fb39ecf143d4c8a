package password

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"sort"
)

// The list holds the first five bytes of the SHA-256 of each of the passwords
// that everybody tries, sorted: of those with eight characters or more, as
// shorter ones are refused anyway. Digests keep the list small and the obscene
// ones among them out of sight. A good password is mistaken for one of them
// once in 70 million times.
//
// They are the 20,000 of Django (BSD licence; from Have I Been Pwned, by Royce
// Williams) and the 30,000 of zxcvbn (MIT licence; from leaks, by Mark
// Burnett), and a few of our own. mkcommon.go makes the list from them.
//
//go:embed common.bin
var common string

const digestLength = 5

// isCommon reports whether a password, folded, is on the list.
func isCommon(folded string) bool {
	sum := sha256.Sum256([]byte(folded))
	want := sum[:digestLength]
	n := len(common) / digestLength
	at := func(i int) []byte { return []byte(common[i*digestLength : (i+1)*digestLength]) }
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), want) >= 0 })
	return i < n && bytes.Equal(at(i), want)
}
