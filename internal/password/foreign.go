package password

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// blowfish is a bcrypt record. As always with bcrypt, only the first 72 bytes of a password count.
type blowfish struct{ record []byte }

func parseBcrypt(s string) (record, error) {
	if len(s) != 60 {
		return nil, errors.New("a bcrypt record has 60 characters")
	}
	cost, err := bcrypt.Cost([]byte(s))
	if err != nil {
		return nil, errors.New("not a bcrypt record")
	}
	if cost > maxBcryptCost {
		return nil, errBounds
	}
	return blowfish{[]byte(s)}, nil
}

func (b blowfish) memory() int64 { return 4 << 10 }

func (b blowfish) fits(password string) bool {
	return bcrypt.CompareHashAndPassword(b.record, []byte(password)) == nil
}

// salsa is a scrypt record: $scrypt$ln=16,r=8,p=1$salt$hash.
type salsa struct {
	n, r, p   int
	salt, key []byte
}

func parseScrypt(parts []string) (record, error) {
	if len(parts) != 4 {
		return nil, errors.New("not a scrypt record")
	}
	v, err := params(parts[1], "ln", "r", "p")
	if err != nil {
		return nil, err
	}
	ln, r, p := v[0], v[1], v[2]
	if ln == 0 || ln > 20 || r == 0 || r > 64 || p == 0 || p > maxLanes || 128*r<<ln > maxMemory ||
		r*p<<ln > maxScryptWork {
		return nil, errBounds
	}
	s := salsa{n: 1 << ln, r: int(r), p: int(p)}
	s.salt, s.key, err = saltAndKey(parts[2], parts[3], base64.RawStdEncoding)
	return s, err
}

func (s salsa) memory() int64 { return 128 * int64(s.r) * int64(s.n) }

func (s salsa) fits(password string) bool {
	sum, err := scrypt.Key([]byte(password), s.salt, s.n, s.r, s.p, len(s.key))
	return err == nil && subtle.ConstantTimeCompare(sum, s.key) == 1
}

// rounds is a PBKDF2 record with HMAC.
type rounds struct {
	hash       func() hash.Hash
	iterations int
	salt, key  []byte
}

// digest returns the hash function of a PBKDF2 record. SHA-1 is not weak in HMAC, and old systems
// had nothing else.
func digest(name string) func() hash.Hash {
	switch name {
	case "", "sha1":
		return sha1.New
	case "sha256":
		return sha256.New
	case "sha512":
		return sha512.New
	}
	return nil
}

// parsePBKDF2 parses $pbkdf2-sha256$i=600000,l=32$salt$hash (PHC; l is optional) and
// $pbkdf2-sha256$29000$salt$hash (passlib, which uses "." in place of "+" in base64).
func parsePBKDF2(parts []string) (record, error) {
	if len(parts) != 4 {
		return nil, errors.New("not a PBKDF2 record")
	}
	k := rounds{hash: digest(strings.TrimPrefix(strings.TrimPrefix(parts[0], "pbkdf2"), "-"))}
	values, err := params(parts[1], "i", "l")
	if err != nil {
		values, err = params(parts[1], "i")
	}
	if err != nil {
		n, err := number(parts[1])
		if err != nil {
			return nil, err
		}
		values = []int64{n}
	}
	plus := strings.NewReplacer(".", "+")
	if k.salt, k.key, err = saltAndKey(plus.Replace(parts[2]), plus.Replace(parts[3]), base64.RawStdEncoding); err != nil {
		return nil, err
	}
	if len(values) == 2 && values[1] != int64(len(k.key)) {
		return nil, errors.New("its hash is not as long as it says")
	}
	return k.bounded(values[0])
}

// parseDjango parses pbkdf2_sha256$600000$salt$hash. The salt is text, and the hash is padded
// base64.
func parseDjango(parts []string) (record, error) {
	if len(parts) != 4 || parts[2] == "" || len(parts[2]) > 128 {
		return nil, errors.New("not a PBKDF2 record")
	}
	k := rounds{hash: digest(strings.TrimPrefix(parts[0], "pbkdf2_")), salt: []byte(parts[2])}
	n, err := number(parts[1])
	if err != nil {
		return nil, err
	}
	if k.key, err = base64.StdEncoding.Strict().DecodeString(parts[3]); err != nil || len(k.key) < 16 || len(k.key) > 64 {
		return nil, errors.New("its hash cannot be read")
	}
	return k.bounded(n)
}

func (k rounds) bounded(iterations int64) (record, error) {
	if k.hash == nil {
		return nil, errUnknown
	}
	if iterations == 0 || iterations > maxIterations {
		return nil, errBounds
	}
	k.iterations = int(iterations)
	return k, nil
}

func (k rounds) memory() int64 { return 4 << 10 }

func (k rounds) fits(password string) bool {
	sum, err := pbkdf2.Key(k.hash, password, k.salt, k.iterations, len(k.key))
	return err == nil && subtle.ConstantTimeCompare(sum, k.key) == 1
}
