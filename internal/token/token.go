// Package token signs and verifies access tokens, and makes and hashes the
// opaque secrets (refresh tokens, tickets, links) that the store knows only by
// their hash.
//
// Access tokens are JWTs (RFC 7519) of type at+jwt (RFC 9068), signed with
// HMAC-SHA256. A key is known by its kid, and each kid has one algorithm.
package token

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Lifetime is how long an access token is good for.
const Lifetime = 10 * time.Minute

const (
	issuer   = "unhidra"
	audience = "unhidra"
	kind     = "at+jwt"
	maxToken = 8 << 10
	leeway   = 30 * time.Second
	minKey   = 32
)

// Claims are what an access token says.
type Claims struct {
	User     string
	Session  string // empty: issued for a script
	Role     string
	Epoch    int64 // of the user, when the token was issued
	AMR      []string
	AuthTime time.Time
	Expires  time.Time
}

type claims struct {
	jwt.RegisteredClaims
	Session  string   `json:"sid,omitempty"`
	Role     string   `json:"role"`
	Epoch    int64    `json:"epoch"`
	AMR      []string `json:"amr,omitempty"`
	AuthTime int64    `json:"auth_time,omitempty"`
}

// Keyring signs with its first key and accepts the tokens of all.
type Keyring struct {
	current string
	keys    map[string][]byte
	hashKey []byte
}

// NewKeyring takes the key that signs, and older ones that are still accepted.
// Every key has at least 32 bytes.
func NewKeyring(current []byte, old ...[]byte) (*Keyring, error) {
	k := &Keyring{keys: make(map[string][]byte)}
	for i, secret := range append([][]byte{current}, old...) {
		if len(secret) < minKey {
			return nil, fmt.Errorf("a signing key has %d bytes; it needs %d (JWT_SECRET)", len(secret), minKey)
		}
		sum := sha256.Sum256(secret)
		kid := hex.EncodeToString(sum[:4])
		k.keys[kid] = derive(secret, "access-token")
		if i == 0 {
			k.current, k.hashKey = kid, derive(secret, "opaque-secret")
		}
	}
	return k, nil
}

// derive makes a key for one purpose (HKDF, RFC 5869), so that nothing made
// for one purpose is of use for another.
func derive(secret []byte, label string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "unhidra "+label, 32)
	if err != nil {
		panic(err) // 32 bytes are never too many for SHA-256
	}
	return key
}

// Sign returns an access token that says c, from now until c.Expires.
func (k *Keyring) Sign(c Claims, now time.Time) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: c.User, ID: Secret(),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(c.Expires),
		},
		Session: c.Session, Role: c.Role, Epoch: c.Epoch, AMR: c.AMR, AuthTime: c.AuthTime.Unix(),
	})
	t.Header["kid"], t.Header["typ"] = k.current, kind
	return t.SignedString(k.keys[k.current])
}

// ErrInvalid is what every bad token leads to; its cause is for the log.
var ErrInvalid = errors.New("not a valid access token")

// Verify returns what token says if it is one of ours, good at the time now.
func (k *Keyring) Verify(token string, now time.Time) (Claims, error) {
	if len(token) > maxToken {
		return Claims{}, fmt.Errorf("%w: %d bytes long", ErrInvalid, len(token))
	}
	var c claims
	p := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }))
	if _, err := p.ParseWithClaims(token, &c, k.key); err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if c.Subject == "" {
		return Claims{}, fmt.Errorf("%w: no subject", ErrInvalid)
	}
	return Claims{
		User: c.Subject, Session: c.Session, Role: c.Role, Epoch: c.Epoch, AMR: c.AMR,
		AuthTime: time.Unix(c.AuthTime, 0), Expires: c.ExpiresAt.Time,
	}, nil
}

// key picks the key by kid alone, from those we have. Header fields that name
// or carry keys elsewhere are refused, and so is anything called critical.
func (k *Keyring) key(t *jwt.Token) (any, error) {
	for name := range t.Header {
		if name != "alg" && name != "kid" && name != "typ" {
			return nil, fmt.Errorf("header %q", name)
		}
	}
	if typ, _ := t.Header["typ"].(string); !strings.EqualFold(typ, kind) {
		return nil, errors.New("not an access token")
	}
	kid, _ := t.Header["kid"].(string)
	key, ok := k.keys[kid]
	if !ok {
		return nil, errors.New("unknown key")
	}
	return key, nil
}

// Hash is how the store knows an opaque secret: HMAC-SHA256 under a key of our
// own, so that a stolen database is of no use to guess with.
func (k *Keyring) Hash(secret string) []byte {
	h := hmac.New(sha256.New, k.hashKey)
	h.Write([]byte(secret))
	return h.Sum(nil)
}

// Secret returns 256 random bits in 43 characters of base64url.
func Secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}
