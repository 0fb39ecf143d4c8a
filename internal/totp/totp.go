// Package totp implements authenticator apps: secrets and their codes (RFC 6238), the QR code for
// the app, the encryption of secrets, and recovery codes. It stores nothing: the caller stores the
// results and counts failures.
package totp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// All apps support SHA-1, six digits and 30 s. Many ignore other values in the link.
const (
	secretLength = 20
	digits       = 6
	modulus      = 1_000_000
	period       = 30 // seconds
)

// NewSecret returns a secret of 160 random bits.
func NewSecret() []byte {
	b := make([]byte, secretLength)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return b
}

// Text returns the secret for typing it into an app.
func Text(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// URI returns the otpauth link in the QR code. Colons become spaces, because a colon ends the
// issuer.
func URI(issuer, account string, secret []byte) string {
	issuer, account = label(issuer), label(account)
	return fmt.Sprintf("otpauth://totp/%s:%s?secret=%s&issuer=%s&algorithm=SHA1&digits=%d&period=%d",
		issuer, account, Text(secret), issuer, digits, period)
}

// label escapes s for both path and query: a space is "%20", because in paths, and to apps, "+" is
// a plus sign.
func label(s string) string {
	s = strings.TrimSpace(strings.ReplaceAll(s, ":", " "))
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// Check reports whether code is valid at now, or one step of 30 s before or after, and to which
// step it belongs. It refuses codes of step last and before, so that an observed code cannot be
// used again. The caller stores the step in one statement, which must fail if another sign-in has
// stored it already:
//
//	UPDATE ... SET last_step = $step WHERE ... AND last_step < $step
func Check(secret []byte, code string, now time.Time, last int64) (step int64, ok bool) {
	code = strings.Join(strings.Fields(code), "")
	current := now.Unix() / period
	// All three steps are compared, so that the time does not depend on which matches.
	for s := current - 1; s <= current+1; s++ {
		fits := subtle.ConstantTimeCompare([]byte(codeAt(secret, s)), []byte(code)) == 1
		if fits && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

// codeAt returns the code of a step (RFC 4226, section 5.3).
func codeAt(secret []byte, step int64) string {
	return fmt.Sprintf("%0*d", digits, truncated(secret, step)%modulus)
}

func truncated(secret []byte, step int64) uint32 {
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, step) // a hash never fails
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0x0f
	return binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
}
