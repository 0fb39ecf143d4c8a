// Package token signs and verifies access tokens. It also generates opaque secrets (refresh tokens,
// tickets, links), of which the store has only the hash.
//
// Access tokens are JWTs (RFC 7519) of type at+jwt (RFC 9068), signed with HMAC-SHA256 or Ed25519.
// The kid identifies the key, and each key has one algorithm.
package token

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Lifetime is how long an access token is valid.
const Lifetime = 10 * time.Minute

const (
	issuer   = "unhidra"
	audience = "unhidra"
	kind     = "at+jwt"
	maxToken = 8 << 10
	leeway   = 30 * time.Second
	minKey   = 32
)

// Claims are the claims of an access token.
type Claims struct {
	User     string
	Session  string // empty: issued for a script
	Role     string
	Epoch    int64 // of the user, when the token was issued
	AMR      []string
	AuthTime time.Time
	Expires  time.Time
	Limited  bool // allows only adding a second factor
}

type claims struct {
	jwt.RegisteredClaims
	Session  string   `json:"sid,omitempty"`
	Role     string   `json:"role"`
	Epoch    int64    `json:"epoch"`
	AMR      []string `json:"amr,omitempty"`
	AuthTime int64    `json:"auth_time,omitempty"`
	Limited  bool     `json:"limited,omitempty"`
}

// Keyring signs with its current key and verifies with all of them. It also has the server's own key,
// from which other keys are derived.
type Keyring struct {
	current string
	keys    map[string]key
	public  []jwk
	data    []byte
	hashKey []byte
}

// A key has one algorithm. A token that names the key with another algorithm is refused.
type key struct {
	method         jwt.SigningMethod
	sign, validate any
}

// NewKeyring returns a keyring with the server's key data; the secrets sign, of which the first
// signs access tokens and the others still verify them; and the algorithm of the first: HS256, or
// EdDSA with an Ed25519 key derived from it. If sign is empty, data is used. Each must have at
// least 32 bytes.
func NewKeyring(alg string, data []byte, sign ...[]byte) (*Keyring, error) {
	k := &Keyring{keys: make(map[string]key), data: data}
	for i, secret := range append([][]byte{data}, sign...) {
		if len(secret) < minKey {
			return nil, fmt.Errorf("a key has %d bytes; it needs %d (JWT_SECRET, UNHIDRA_SERVER_KEY)", len(secret), minKey)
		}
		if i > 0 && bytes.Equal(secret, data) {
			return nil, errors.New("JWT_SECRET is the server's key; give it a value of its own")
		}
	}
	if len(sign) == 0 {
		sign = [][]byte{data}
	}
	for i, secret := range sign {
		hs, ed := k.addHMAC(secret), k.addEd25519(secret)
		if i == 0 {
			k.current = hs
			if alg == "EdDSA" {
				k.current = ed
			}
		}
	}
	k.hashKey = k.Derive("opaque-secret")
	return k, nil
}

func (k *Keyring) addHMAC(secret []byte) (kid string) {
	sum := sha256.Sum256(secret)
	kid = hex.EncodeToString(sum[:4])
	shared := derive(secret, "access-token")
	k.keys[kid] = key{jwt.SigningMethodHS256, shared, shared}
	return kid
}

func (k *Keyring) addEd25519(secret []byte) (kid string) {
	private := ed25519.NewKeyFromSeed(derive(secret, "access-token ed25519"))
	public := private.Public().(ed25519.PublicKey)
	j := jwk{Type: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(public), Alg: "EdDSA", Use: "sig"}
	j.ID = j.thumbprint()
	k.keys[j.ID] = key{jwt.SigningMethodEdDSA, private, public}
	k.public = append(k.public, j)
	return j.ID
}

// A jwk is a public key in the form of RFC 8037.
type jwk struct {
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	ID    string `json:"kid"`
	Alg   string `json:"alg"`
	Use   string `json:"use"`
}

// thumbprint returns the thumbprint of the key (RFC 7638), which is its kid.
func (j jwk) thumbprint() string {
	sum := sha256.Sum256([]byte(`{"crv":"` + j.Curve + `","kty":"` + j.Type + `","x":"` + j.X + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// JWKS returns the public keys as a JWK set (RFC 7517), with which others can verify EdDSA tokens.
func (k *Keyring) JWKS() ([]byte, error) {
	return json.Marshal(map[string]any{"keys": k.public})
}

// Derive returns a key of 32 bytes for a purpose, derived from the server's key. The same label
// returns the same key.
func (k *Keyring) Derive(label string) []byte { return derive(k.data, label) }

// derive returns a key for a purpose (HKDF, RFC 5869). Keys of different purposes are independent.
func derive(secret []byte, label string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "unhidra "+label, 32)
	if err != nil {
		panic(err) // 32 bytes are within HKDF's limit
	}
	return key
}

// Sign returns an access token with c, valid from now until c.Expires.
func (k *Keyring) Sign(c Claims, now time.Time) (string, error) {
	current := k.keys[k.current]
	t := jwt.NewWithClaims(current.method, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: c.User, ID: Secret(),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(c.Expires),
		},
		Session: c.Session, Role: c.Role, Epoch: c.Epoch, AMR: c.AMR, AuthTime: c.AuthTime.Unix(), Limited: c.Limited,
	})
	t.Header["kid"], t.Header["typ"] = k.current, kind
	return t.SignedString(current.sign)
}

// ErrInvalid is wrapped by all errors of Verify. The cause is for the log.
var ErrInvalid = errors.New("not a valid access token")

// Verify returns the claims of token if the keyring accepts its signature and it is valid at now.
func (k *Keyring) Verify(token string, now time.Time) (Claims, error) {
	if len(token) > maxToken {
		return Claims{}, fmt.Errorf("%w: %d bytes long", ErrInvalid, len(token))
	}
	var c claims
	p := jwt.NewParser(jwt.WithValidMethods([]string{"HS256", "EdDSA"}), jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }))
	if _, err := p.ParseWithClaims(token, &c, k.find); err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if c.Subject == "" {
		return Claims{}, fmt.Errorf("%w: no subject", ErrInvalid)
	}
	return Claims{
		User: c.Subject, Session: c.Session, Role: c.Role, Epoch: c.Epoch, AMR: c.AMR, Limited: c.Limited,
		AuthTime: time.Unix(c.AuthTime, 0), Expires: c.ExpiresAt.Time,
	}, nil
}

// find returns the key by kid, only from the keyring. Headers that refer to or contain other keys
// are refused, and so is crit.
func (k *Keyring) find(t *jwt.Token) (any, error) {
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
	if !ok || t.Method != key.method {
		return nil, errors.New("unknown key")
	}
	return key.validate, nil
}

// Hash returns the stored form of an opaque secret: HMAC-SHA256 with the server's key, so that a
// stolen database does not help to guess secrets.
func (k *Keyring) Hash(secret string) []byte {
	h := hmac.New(sha256.New, k.hashKey)
	h.Write([]byte(secret))
	return h.Sum(nil)
}

// Successor returns the secret that follows the one with a hash. It is always the same, so that a
// retry after a lost answer gets the same secret. It cannot be computed without the server's key.
func (k *Keyring) Successor(hash []byte) string {
	h := hmac.New(sha256.New, k.Derive("successor"))
	h.Write(hash)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Secret returns 256 random bits as 43 characters of base64url.
func Secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}
