package token

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var secret = []byte(strings.Repeat("k", 32))

func ring(t testing.TB) *Keyring {
	t.Helper()
	k, err := NewKeyring("HS256", secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignAndVerify(t *testing.T) {
	k, now := ring(t), time.Now()
	want := Claims{User: "usr_1", Session: "ses_1", Role: "admin", Epoch: 3, AMR: []string{"pwd"},
		AuthTime: now.Truncate(time.Second), Expires: now.Add(Lifetime).Truncate(time.Second)}
	s, err := k.Sign(want, now)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.Verify(s, now)
	if err != nil || got.User != want.User || got.Session != want.Session || got.Epoch != 3 ||
		!got.Expires.Equal(want.Expires) || got.Role != "admin" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := k.Verify(s, now.Add(Lifetime+time.Minute)); !errors.Is(err, ErrInvalid) {
		t.Fatalf("an expired token: %v", err)
	}
}

func TestCHK_TK_01_ForeignTokensAreRefused(t *testing.T) {
	k, now := ring(t), time.Now()
	good := jwt.MapClaims{"iss": issuer, "aud": audience, "sub": "usr_1", "iat": now.Unix(),
		"exp": now.Add(time.Minute).Unix()}
	make := func(m jwt.SigningMethod, key any, header map[string]any) string {
		tok := jwt.NewWithClaims(m, good)
		tok.Header["typ"], tok.Header["kid"] = kind, k.current
		for name, v := range header {
			tok.Header[name] = v
		}
		s, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	key := k.keys[k.current].sign
	if _, err := k.Verify(make(jwt.SigningMethodHS256, key, nil), now); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	for name, s := range map[string]string{
		"none":          make(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"HS512":         make(jwt.SigningMethodHS512, key, nil),
		"other key":     make(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), nil),
		"raw secret":    make(jwt.SigningMethodHS256, secret, nil),
		"unknown kid":   make(jwt.SigningMethodHS256, key, map[string]any{"kid": "00000000"}),
		"kid of a path": make(jwt.SigningMethodHS256, key, map[string]any{"kid": "../../dev/null"}),
		"jku":           make(jwt.SigningMethodHS256, key, map[string]any{"jku": "https://example.org"}),
		"jwk":           make(jwt.SigningMethodHS256, key, map[string]any{"jwk": map[string]any{}}),
		"crit":          make(jwt.SigningMethodHS256, key, map[string]any{"crit": []string{"x"}}),
		"plain JWT":     make(jwt.SigningMethodHS256, key, map[string]any{"typ": "JWT"}),
		"too long":      make(jwt.SigningMethodHS256, key, nil) + strings.Repeat("A", maxToken),
		"empty":         "",
		"two parts":     "a.b",
	} {
		if _, err := k.Verify(s, now); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: accepted (%v)", name, err)
		}
	}
}

func TestCHK_TK_02_ClaimsAreChecked(t *testing.T) {
	k, now := ring(t), time.Now()
	for name, change := range map[string]func(jwt.MapClaims){
		"no exp":     func(c jwt.MapClaims) { delete(c, "exp") },
		"expired":    func(c jwt.MapClaims) { c["exp"] = now.Add(-time.Minute).Unix() },
		"not yet":    func(c jwt.MapClaims) { c["nbf"] = now.Add(time.Minute).Unix() },
		"from later": func(c jwt.MapClaims) { c["iat"] = now.Add(time.Minute).Unix() },
		"issuer":     func(c jwt.MapClaims) { c["iss"] = "other" },
		"audience":   func(c jwt.MapClaims) { c["aud"] = "other" },
		"no subject": func(c jwt.MapClaims) { delete(c, "sub") },
	} {
		c := jwt.MapClaims{"iss": issuer, "aud": audience, "sub": "usr_1", "iat": now.Unix(),
			"exp": now.Add(time.Minute).Unix()}
		change(c)
		tok := jwt.NewWithClaims(jwt.SigningMethodHS256, c)
		tok.Header["typ"], tok.Header["kid"] = kind, k.current
		s, err := tok.SignedString(k.keys[k.current].sign)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Verify(s, now); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAnOldKeyIsStillAccepted(t *testing.T) {
	now := time.Now()
	s, err := ring(t).Sign(Claims{User: "usr_1", Expires: now.Add(time.Minute)}, now)
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKeyring("HS256", []byte(strings.Repeat("d", 32)), []byte(strings.Repeat("n", 32)), secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Verify(s, now); err != nil {
		t.Fatal(err)
	}
}

func TestCHK_TK_10_SecretsHave256Bits(t *testing.T) {
	one, other := Secret(), Secret()
	b, err := base64.RawURLEncoding.DecodeString(one)
	if err != nil || len(b) != 32 || one == other {
		t.Fatal(b, err)
	}
}

func TestShortKeysAreRefused(t *testing.T) {
	if _, err := NewKeyring("HS256", []byte("short")); err == nil {
		t.Fatal("a key of five bytes")
	}
}

// Only what the key signed is accepted; of that, nothing can be changed.
func FuzzVerify(f *testing.F) {
	k, now := ring(f), time.Unix(1_800_000_000, 0)
	s, err := k.Sign(Claims{User: "usr_1", Expires: now.Add(time.Minute)}, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s, 5)
	f.Add(s, len(s)-2)
	f.Add("eyJhbGciOiJub25lIn0.e30.", 3)
	f.Fuzz(func(t *testing.T, in string, at int) {
		c, err := k.Verify(in, now)
		if err != nil {
			return
		}
		if c.User != "usr_1" {
			t.Fatalf("accepted %q", in)
		}
		at = min(max(at, 0), len(in)-2) // the last character also holds bits that mean nothing
		changed := []byte(in)
		changed[at] ^= 1
		if _, err := k.Verify(string(changed), now); err == nil {
			t.Fatalf("accepted %q, which is %q changed at %d", changed, in, at)
		}
	})
}

func TestEdDSA(t *testing.T) {
	now := time.Now()
	k, err := NewKeyring("EdDSA", []byte(strings.Repeat("d", 32)), secret)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.Sign(Claims{User: "usr_1", Expires: now.Add(time.Minute)}, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Verify(s, now); err != nil {
		t.Fatal(err)
	}
	// Somebody else verifies it with what we publish.
	b, err := k.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []jwk }
	if err := json.Unmarshal(b, &set); err != nil || len(set.Keys) != 1 {
		t.Fatal(string(b), err)
	}
	x, err := base64.RawURLEncoding.DecodeString(set.Keys[0].X)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.Parse(s, func(*jwt.Token) (any, error) { return ed25519.PublicKey(x), nil })
	if err != nil || parsed.Header["kid"] != set.Keys[0].ID {
		t.Fatal(parsed.Header, err)
	}
	// A server that has moved on to EdDSA still takes what it signed before.
	hs, err := NewKeyring("HS256", []byte(strings.Repeat("d", 32)), secret)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = hs.Sign(Claims{User: "usr_1", Expires: now.Add(time.Minute)}, now); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Verify(s, now); err != nil {
		t.Fatal(err)
	}
}

// The public key is known to everybody; as an HMAC secret it must open nothing.
func TestCHK_TK_01_APublicKeyIsNoSecret(t *testing.T) {
	now := time.Now()
	k, err := NewKeyring("EdDSA", []byte(strings.Repeat("d", 32)), secret)
	if err != nil {
		t.Fatal(err)
	}
	x, err := base64.RawURLEncoding.DecodeString(k.public[0].X)
	if err != nil {
		t.Fatal(err)
	}
	for _, kid := range []string{k.public[0].ID, k.current} {
		tok := jwt.NewWithClaims(jwt.SigningMethodHS256,
			jwt.MapClaims{"iss": issuer, "aud": audience, "sub": "usr_1", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
		tok.Header["typ"], tok.Header["kid"] = kind, kid
		s, err := tok.SignedString(x)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Verify(s, now); err == nil {
			t.Error("accepted")
		}
	}
}

func TestCHK_TK_09_OneKeyForEachPurpose(t *testing.T) {
	if _, err := NewKeyring("HS256", secret, secret); err == nil {
		t.Error("the server's key signs tokens")
	}
}
