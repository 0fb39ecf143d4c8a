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

// The wire format of ALTCHA, version 2, in its mode of random keys with
// PBKDF2/SHA-256: the client counts until the key derived from the nonce and the
// counter starts with keyPrefix. The official widget (3.x) speaks it. Version 1
// is not accepted: this server never gave such a challenge, so that there is no
// honest answer to one.

const (
	algorithm  = "PBKDF2/SHA-256"
	keyLength  = 32
	maxPayload = 4 << 10
)

// Parameters are what a challenge asks for. The fields stand in the order of
// their names, which is the canonical form that is signed.
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

// Challenge is what a client solves.
type Challenge struct {
	Parameters Parameters `json:"parameters"`
	Signature  string     `json:"signature"`
}

// Solution is what it found.
type Solution struct {
	Counter    uint32  `json:"counter"`
	DerivedKey string  `json:"derivedKey"` // hexadecimal
	Time       float64 `json:"time,omitempty"`
}

// Payload is a solved challenge, as a client sends it: in base64.
type Payload struct {
	Challenge Challenge `json:"challenge"`
	Solution  Solution  `json:"solution"`
}

// canonical is the form that is signed: names in order, no spaces.
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

// derive is one try: the key for one counter.
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

// solvedBy reports whether s is an answer to p: one try of work for the server.
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

// Solve does a client's work, for tests and for programs that are welcome.
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

// Encode returns p as a client sends it.
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
