package device

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// A key is dk_, 10 characters that name it, _, 32 secret ones (190 bits), and 6
// that are the CRC-32 of all before. The checksum refuses typing mistakes
// without asking the store, and tells scanners of repositories that what they
// found is one. All characters may stand in a header and in a subprotocol.
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

// keyID returns the id in a key, if it has the form of one and its checksum is
// right.
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

// random returns n characters of the alphabet, each as likely as the others:
// bytes beyond the last multiple of its length are thrown away.
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

// pepperVersion names the key that hashes are made under, and is kept with each,
// so that a later version of the server can tell them apart.
const pepperVersion = 1

// hash is how the store knows a key.
func hash(pepper []byte, key string) []byte {
	h := hmac.New(sha256.New, pepper)
	h.Write([]byte(key))
	return h.Sum(nil)
}
