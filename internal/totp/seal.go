package totp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Key is a key that secrets are sealed with.
type Key struct {
	ID    string // letters, digits, "-" and "_"; goes with what is sealed
	Bytes []byte // 32
}

// Ring seals and opens secrets. The first key seals; the others open what was
// sealed before the keys were changed.
type Ring struct {
	first string
	keys  map[string]cipher.AEAD
}

// NewRing returns a ring of at least one key.
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

// Seal returns a user's secret as it is to be stored: AES-256-GCM, bound to
// the user, so that a row copied to another account opens nothing.
func (r *Ring) Seal(user string, secret []byte) string {
	sealed := r.keys[r.first].Seal(nil, nil, secret, bound(user, r.first))
	return r.first + "." + base64.RawURLEncoding.EncodeToString(sealed)
}

// Open returns the secret that Seal was given. Stale says that a key other
// than the first opened it: seal it anew.
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
