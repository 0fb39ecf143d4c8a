package totp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// Codes is the number of recovery codes of a user.
const Codes = 10

// A recovery code is 24 characters of Crockford's base32 (120 bits), shown in six groups of four.
// With that entropy a keyed hash is as safe as a slow one (NIST SP 800-63B-4 requires a slow one
// below 112 bits).
const (
	crockford  = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	codeBytes  = 15
	codeLength = 24
	groupOf    = 4
)

// NewCodes returns new recovery codes. They are shown once, and stored as HashCode.
func NewCodes() []string {
	codes := make([]string, Codes)
	for i := range codes {
		var b [codeBytes]byte
		_, _ = rand.Read(b[:]) // never fails: it ends the process instead
		codes[i] = grouped(base32.NewEncoding(crockford).EncodeToString(b[:]))
	}
	return codes
}

func grouped(code string) string {
	var groups []string
	for ; code != ""; code = code[groupOf:] {
		groups = append(groups, code[:groupOf])
	}
	return strings.Join(groups, "-")
}

// plain normalizes a typed code: case, spaces, dashes, and letters that look like digits.
func plain(typed string) (code string, ok bool) {
	code = strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == ' ' || r == '\t' || r == '\n' || r == '\r':
			return -1
		case r >= 'a' && r <= 'z':
			r -= 'a' - 'A'
		}
		switch r {
		case 'O':
			return '0'
		case 'I', 'L':
			return '1'
		}
		return r
	}, typed)
	outside := func(r rune) bool { return !strings.ContainsRune(crockford, r) }
	return code, len(code) == codeLength && strings.IndexFunc(code, outside) < 0
}

// IsCode reports whether typed has the form of a recovery code, and not that of an app's six
// digits.
func IsCode(typed string) bool {
	_, ok := plain(typed)
	return ok
}

// HashCode returns the stored form of a user's recovery code, by which a typed one is looked up.
// The key must not be stored beside it. ok is false if typed does not have the form of a code.
func HashCode(key []byte, user, typed string) (hash []byte, ok bool) {
	code, ok := plain(typed)
	if !ok {
		return nil, false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("recovery|" + user + "|" + code))
	return mac.Sum(nil), true
}
