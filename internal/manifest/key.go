package manifest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// The kinds of keys.
const (
	P256    = "p256"    // ECDSA on P-256 with SHA-256; signatures are r and s, 32 bytes each
	Ed25519 = "ed25519" // RFC 8032
)

const (
	signatureSize = 64
	half          = signatureSize / 2
)

var errKeyKind = errors.New("it is neither a P-256 nor an Ed25519 key")

// A Key is a public key in a root.
type Key struct {
	KeyID string `json:"keyid"`
	Key   Base64 `json:"key"` // SubjectPublicKeyInfo, DER
	// NotBefore and NotAfter limit the time at which the key may sign: of release keys when a manifest was
	// created, of offer keys when an offer was issued. Zero: no limit. Root keys have none.
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
}

// NewKey describes a public key.
func NewKey(public crypto.PublicKey) (Key, error) {
	if kindOf(public) == "" {
		return Key{}, errKeyKind
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Key{}, err
	}
	sum := sha256.Sum256(der)
	return Key{KeyID: hex.EncodeToString(sum[:8]), Key: der}, nil
}

// Public is the key that k describes.
func (k *Key) Public() (crypto.PublicKey, error) {
	public, err := x509.ParsePKIXPublicKey(k.Key)
	if err != nil || kindOf(public) == "" {
		return nil, errKeyKind
	}
	return public, nil
}

// Kind is P256 or Ed25519; empty if it is no such key.
func (k *Key) Kind() string {
	public, err := k.Public()
	if err != nil {
		return ""
	}
	return kindOf(public)
}

// ValidAt reports whether the key may sign then.
func (k *Key) ValidAt(t time.Time) bool {
	return !t.Before(k.NotBefore) && (k.NotAfter.IsZero() || !t.After(k.NotAfter))
}

// check says what is wrong with k.
func (k *Key) check() error {
	public, err := k.Public()
	if err != nil {
		return fmt.Errorf("key %.40q: %w", k.KeyID, err)
	}
	same, err := NewKey(public)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(same.Key, k.Key):
		return fmt.Errorf("key %.40q is not in the form of DER", k.KeyID)
	case same.KeyID != k.KeyID:
		return fmt.Errorf("key %.40q has the id %s", k.KeyID, same.KeyID)
	case !k.NotAfter.IsZero() && k.NotAfter.Before(k.NotBefore):
		return fmt.Errorf("key %s ends before it begins", k.KeyID)
	}
	return nil
}

func kindOf(public crypto.PublicKey) string {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return P256
		}
	case ed25519.PublicKey:
		return Ed25519
	}
	return ""
}

// Generate makes a private key of a kind.
func Generate(kind string) (crypto.Signer, error) {
	switch kind {
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case Ed25519:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return nil, fmt.Errorf("there is no kind of key %.40q: use %s or %s", kind, P256, Ed25519)
}

// PrivatePEM returns a private key as PKCS #8 (RFC 5958) in PEM, and PublicPEM its public key as
// SubjectPublicKeyInfo.
func PrivatePEM(private crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// PublicPEM returns a public key as SubjectPublicKeyInfo in PEM.
func PublicPEM(public crypto.PublicKey) ([]byte, error) {
	k, err := NewKey(public)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.Key}), nil
}

// ParsePrivate reads a private key: PKCS #8, or EC PRIVATE KEY (RFC 5915) as OpenSSL writes it.
func ParsePrivate(text []byte) (crypto.Signer, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errors.New("there is no private key in PEM")
		}
		text = rest
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("the key is encrypted: decrypt it first, with `openssl pkey`")
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		if signer, ok := key.(crypto.Signer); ok && kindOf(signer.Public()) != "" {
			return signer, nil
		}
		return nil, errKeyKind
	}
}

// ParsePublic reads a public key. It refuses private ones.
func ParsePublic(text []byte) (Key, error) {
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return Key{}, errors.New("there is no public key in PEM")
	case block.Type != "PUBLIC KEY":
		return Key{}, fmt.Errorf("it is a %.40s: a public key (PUBLIC KEY) is needed", block.Type)
	}
	k := Key{Key: block.Bytes}
	public, err := k.Public()
	if err != nil {
		return Key{}, err
	}
	return NewKey(public)
}

// Sign adds a signature by signer, which may be a token (PKCS #11, a cloud's key service) as well. A
// signature by the same key is replaced.
func (e *Envelope) Sign(signer crypto.Signer) error {
	message, hash := e.Signed(), crypto.Hash(0)
	if kindOf(signer.Public()) == P256 {
		sum := sha256.Sum256(message)
		message, hash = sum[:], crypto.SHA256
	}
	sig, err := signer.Sign(rand.Reader, message, hash)
	if err != nil {
		return err
	}
	return e.Attach(signer.Public(), sig)
}

// Attach adds a signature that was made elsewhere of what Signed returns: 64 bytes, or of ECDSA also in
// DER, as OpenSSL makes it. It is an error if it does not fit.
func (e *Envelope) Attach(public crypto.PublicKey, sig []byte) error {
	k, err := NewKey(public)
	if err != nil {
		return err
	}
	if kindOf(public) == P256 && len(sig) != signatureSize {
		if sig, err = rawSignature(sig); err != nil {
			return err
		}
	}
	if !fits(public, e.Signed(), sig) {
		return fmt.Errorf("the signature by key %s is not one of this document", k.KeyID)
	}
	others := slices.DeleteFunc(slices.Clone(e.Signatures), func(s Signature) bool { return s.KeyID == k.KeyID })
	if len(others) >= MaxSignatures {
		return fmt.Errorf("the document has %d signatures already, and may have no more", len(others))
	}
	e.Signatures = append(others, Signature{KeyID: k.KeyID, Sig: sig})
	return nil
}

// rawSignature returns a signature in DER as r and s.
func rawSignature(der []byte) ([]byte, error) {
	var rs struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &rs)
	outside := func(n *big.Int) bool { return n.Sign() <= 0 || n.BitLen() > 8*half }
	if err != nil || len(rest) != 0 || outside(rs.R) || outside(rs.S) {
		return nil, errors.New("it is no signature of ECDSA with P-256")
	}
	raw := make([]byte, signatureSize)
	rs.R.FillBytes(raw[:half])
	rs.S.FillBytes(raw[half:])
	return raw, nil
}

func fits(public crypto.PublicKey, message, sig []byte) bool {
	if len(sig) != signatureSize {
		return false
	}
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(message)
		return ecdsa.Verify(k, sum[:], new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:]))
	case ed25519.PublicKey:
		return ed25519.Verify(k, message, sig)
	}
	return false
}
