package mail

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"fmt"

	"github.com/unhidra/unhidra/internal/domain"
)

// A sealer encrypts the content of waiting mails. Without it, whoever reads the database or its
// backup could use the links, which reset passwords.
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

func (s sealer) seal(id string, d domain.MailData) ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return s.aead.Seal(nil, nil, b, []byte(id)), nil
}

func (s sealer) open(id string, sealed []byte) (d domain.MailData, err error) {
	b, err := s.aead.Open(nil, nil, sealed, []byte(id))
	if err != nil {
		return d, fmt.Errorf("open a queued mail; it was sealed under another server key: %w", err)
	}
	err = json.Unmarshal(b, &d)
	return d, err
}
