package totp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Key is an encryption key.
type Key struct {
	ID    string // letters, digits, "-" and "_"; stored with each sealed secret
	Bytes []byte // 32
}

// Ring encrypts and decrypts secrets. It encrypts with the first key. The others decrypt secrets
// from before a key rotation.
type Ring struct {
	first string
	keys  map[string]cipher.AEAD
}

// NewRing returns a ring with keys, at least one.
func NewRing(keys ...Key) (*Ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("a ring needs a key")
	}
	r := &Ring{first: keys[0].ID, keys: make(map[string]cipher.AEAD)}
	for _, k := range keys {
		if k.ID == "" || strings.ContainsAny(k.ID, ".|") {
			return nil, fmt.Errorf("a key's id cannot be %q", k.ID)
		}
		if r.keys[k.ID] != nil {
			return nil, fmt.Errorf("two keys have the id %q", k.ID)
		}
		if len(k.Bytes) != 32 {
			return nil, fmt.Errorf("key %q has %d bytes, not 32", k.ID, len(k.Bytes))
		}
		block, err := aes.NewCipher(k.Bytes)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", k.ID, err)
		}
		if r.keys[k.ID], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("key %q: %w", k.ID, err)
		}
	}
	return r, nil
}

// Seal returns a user's secret encrypted with AES-256-GCM. The user is authenticated with it, so
// that the row is useless for another account.
func (r *Ring) Seal(user string, secret []byte) string {
	sealed := r.keys[r.first].Seal(nil, nil, secret, bound(user, r.first))
	return r.first + "." + base64.RawURLEncoding.EncodeToString(sealed)
}

// Open decrypts a secret of Seal. stale means that it was encrypted with another key than the
// first: seal it again.
func (r *Ring) Open(user, sealed string) (secret []byte, stale bool, err error) {
	id, text, _ := strings.Cut(sealed, ".")
	key := r.keys[id]
	if key == nil {
		return nil, false, fmt.Errorf("no key %q on the ring", id)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, false, errors.New("a sealed secret cannot be read")
	}
	if secret, err = key.Open(nil, nil, b, bound(user, id)); err != nil {
		return nil, false, fmt.Errorf("a sealed secret does not open: %w", err)
	}
	return secret, id != r.first, nil
}

func bound(user, key string) []byte { return []byte("totp|" + user + "|" + key) }
