package device

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// A key is "dk_", an id of 10 characters, "_", a secret of 32 characters (190 bits), and a checksum
// of 6 characters (CRC-32 of what precedes). The checksum detects typing errors without asking the
// store, and lets secret scanners recognize keys. All characters are valid in a header and in a
// WebSocket subprotocol.
const (
	alphabet  = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	idLength  = 10
	secretLen = 32
	sumLength = 6
	bodyLen   = len(domain.DeviceKeyPrefix) + idLength + 1 + secretLen
)

// newKey returns a new key and its id.
func newKey() (key, id string) {
	id = random(idLength)
	body := domain.DeviceKeyPrefix + id + "_" + random(secretLen)
	return body + checksum(body), id
}

// keyID returns the id of a key. ok is false if the form or the checksum is wrong.
func keyID(key string) (id string, ok bool) {
	if !domain.LooksLikeDeviceKey(key) {
		return "", false
	}
	body, sum := key[:bodyLen], key[bodyLen:]
	id, secret, ok := strings.Cut(body[len(domain.DeviceKeyPrefix):], "_")
	if !ok || len(id) != idLength || strings.Trim(id+secret, alphabet) != "" || checksum(body) != sum {
		return "", false
	}
	return id, true
}

func checksum(body string) string {
	n := crc32.ChecksumIEEE([]byte(body))
	var b [sumLength]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = alphabet[n%uint32(len(alphabet))]
		n /= uint32(len(alphabet))
	}
	return string(b[:])
}

// random returns n characters of the alphabet, uniformly distributed: bytes beyond the last
// multiple of its length are rejected.
func random(n int) string {
	const fair = 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	var b [64]byte
	for len(out) < n {
		_, _ = rand.Read(b[:]) // never fails since Go 1.24
		for _, v := range b {
			if int(v) < fair && len(out) < n {
				out = append(out, alphabet[int(v)%len(alphabet)])
			}
		}
	}
	return string(out)
}

// pepperVersion is stored with each hash. It names the pepper, so that later versions can introduce
// another one.
const pepperVersion = 1

// hash returns the HMAC-SHA-256 of a key, which the store has instead of the key.
func hash(pepper []byte, key string) []byte {
	h := hmac.New(sha256.New, pepper)
	h.Write([]byte(key))
	return h.Sum(nil)
}
