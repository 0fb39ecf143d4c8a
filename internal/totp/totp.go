// Package totp holds what an authenticator app needs: secrets, their codes
// (RFC 6238), the picture the app reads them from, the seal they are kept
// under, and the recovery codes for whoever loses the app. It keeps nothing:
// the caller stores what it is given and counts the failures.
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

// SHA-1, six digits and thirty seconds are what every app understands; many
// ignore what a link says of others.
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

// Text is the secret as a person types it into an app that has no camera.
func Text(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// URI is the link that an app reads from the picture. A colon would end the
// issuer in it, so colons become spaces.
func URI(issuer, account string, secret []byte) string {
	issuer, account = label(issuer), label(account)
	return fmt.Sprintf("otpauth://totp/%s:%s?secret=%s&issuer=%s&algorithm=SHA1&digits=%d&period=%d",
		issuer, account, Text(secret), issuer, digits, period)
}

// label escapes s for the path and the query alike: apps take "+" for itself,
// and so do paths, so a space is "%20" everywhere.
func label(s string) string {
	s = strings.TrimSpace(strings.ReplaceAll(s, ":", " "))
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// Check reports whether code is the secret's at now, or one step of thirty
// seconds before or after, and which step it belongs to. A code of the last
// step used, or of one before it, is refused: whoever looked over a shoulder
// has nothing. The caller keeps the step, in one statement that fails if
// another sign-in has kept it already:
//
//	UPDATE ... SET last_step = $step WHERE ... AND last_step < $step
func Check(secret []byte, code string, now time.Time, last int64) (step int64, ok bool) {
	code = strings.Join(strings.Fields(code), "")
	current := now.Unix() / period
	// All three are compared, whichever fits, so that time tells nothing.
	for s := current - 1; s <= current+1; s++ {
		fits := subtle.ConstantTimeCompare([]byte(codeAt(secret, s)), []byte(code)) == 1
		if fits && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

// codeAt is the code of a step (RFC 4226, section 5.3).
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
