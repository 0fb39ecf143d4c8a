package captcha

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
)

// The wire format is that of ALTCHA version 2, in its mode with random keys and PBKDF2/SHA-256: the
// client increments a counter until the key derived from the nonce and the counter starts with
// keyPrefix. The official widget (3.x) supports it. Version 1 is refused, because this server never
// issued such challenges.

const (
	algorithm  = "PBKDF2/SHA-256"
	keyLength  = 32
	maxPayload = 4 << 10
)

// Parameters are the parameters of a challenge. The fields are sorted by their JSON names, because
// that form is signed.
type Parameters struct {
	Algorithm string            `json:"algorithm"`
	Cost      int               `json:"cost"`
	Data      map[string]string `json:"data,omitempty"`
	ExpiresAt int64             `json:"expiresAt,omitempty"` // Unix seconds
	KeyLength int               `json:"keyLength"`
	KeyPrefix string            `json:"keyPrefix"` // hexadecimal
	Nonce     string            `json:"nonce"`     // hexadecimal
	Salt      string            `json:"salt"`      // hexadecimal
}

// Challenge is a challenge that a client solves.
type Challenge struct {
	Parameters Parameters `json:"parameters"`
	Signature  string     `json:"signature"`
}

// Solution is the solution of a challenge.
type Solution struct {
	Counter    uint32  `json:"counter"`
	DerivedKey string  `json:"derivedKey"` // hexadecimal
	Time       float64 `json:"time,omitempty"`
}

// Payload is a challenge with its solution. A client sends it in base64.
type Payload struct {
	Challenge Challenge `json:"challenge"`
	Solution  Solution  `json:"solution"`
}

// canonical returns the form that is signed: sorted names, no spaces.
func (p Parameters) canonical() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(p)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func (p Parameters) sign(key []byte) (string, error) {
	b, err := p.canonical()
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, key)
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// derive returns the key for a counter.
func (p Parameters) derive(counter uint32) ([]byte, error) {
	nonce, err := hex.DecodeString(p.Nonce)
	if err != nil {
		return nil, err
	}
	salt, err := hex.DecodeString(p.Salt)
	if err != nil {
		return nil, err
	}
	return pbkdf2.Key(sha256.New, string(binary.BigEndian.AppendUint32(nonce, counter)), salt, p.Cost, p.KeyLength)
}

// solvedBy reports whether s solves p. It derives one key.
func (p Parameters) solvedBy(s Solution) bool {
	prefix, err := hex.DecodeString(p.KeyPrefix)
	if err != nil {
		return false
	}
	claimed, err := hex.DecodeString(s.DerivedKey)
	if err != nil || !bytes.HasPrefix(claimed, prefix) {
		return false
	}
	key, err := p.derive(s.Counter)
	return err == nil && hmac.Equal(key, claimed)
}

// Solve solves the challenge as a client does, for tests and for trusted programs.
func (c Challenge) Solve() (Payload, error) {
	prefix, err := hex.DecodeString(c.Parameters.KeyPrefix)
	if err != nil {
		return Payload{}, err
	}
	for counter := uint32(0); ; counter++ {
		key, err := c.Parameters.derive(counter)
		if err != nil {
			return Payload{}, err
		}
		if bytes.HasPrefix(key, prefix) {
			return Payload{c, Solution{Counter: counter, DerivedKey: hex.EncodeToString(key)}}, nil
		}
	}
}

// Encode returns p in the form that a client sends.
func (p Payload) Encode() (string, error) {
	b, err := json.Marshal(p)
	return base64.StdEncoding.EncodeToString(b), err
}

func decode(token string) (p Payload, err error) {
	if len(token) > maxPayload {
		return p, errors.New("too long")
	}
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return p, err
	}
	err = json.Unmarshal(b, &p)
	return p, err
}
