package password

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"sort"
)

// The list holds the first five bytes of the SHA-256 of each common password, sorted. It includes
// only those with eight characters or more, because shorter ones are refused anyway. Hashes keep
// the list small and obscene passwords out of sight. A good password is taken for a common one once
// in 70 million times.
//
// The passwords are the 20,000 of Django (BSD licence; from Have I Been Pwned, by Royce Williams),
// the 30,000 of zxcvbn (MIT licence; from leaks, by Mark Burnett), and some of our own. mkcommon.go
// generates the list.
//
//go:embed common.bin
var common string

const digestLength = 5

// isCommon reports whether a folded password is on the list.
func isCommon(folded string) bool {
	sum := sha256.Sum256([]byte(folded))
	want := sum[:digestLength]
	n := len(common) / digestLength
	at := func(i int) []byte { return []byte(common[i*digestLength : (i+1)*digestLength]) }
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), want) >= 0 })
	return i < n && bytes.Equal(at(i), want)
}
