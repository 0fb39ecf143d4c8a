// Package manifest has the signed documents of firmware: roots, which say whose signatures a product
// trusts; manifests, which describe releases; and offers, which bring a manifest to one device now. It
// signs and verifies them, and decides as a device does whether an offer may be taken. It keeps
// nothing, and knows no server. docs/firmware-signing.md describes the documents.
package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/unhidra/unhidra/internal/wire"
)

// The types of documents.
const (
	RootType     = "application/vnd.unhidra.root+json"
	ManifestType = "application/vnd.unhidra.manifest+json"
	OfferType    = "application/vnd.unhidra.offer+json"
)

// Limits of documents.
const (
	MaxDocument   = 64 << 10 // bytes of an envelope
	MaxSignatures = 16
	MaxKeys       = 16 // of a kind, in a root
	MaxImages     = 32 // of a manifest
	MaxRoots      = 64 // that an offer brings
)

// An Envelope holds a signed document: a Dead Simple Signing Envelope (DSSE 1.0). Its payload is kept as it
// was signed, byte for byte.
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     Base64      `json:"payload"`
	Signatures  []Signature `json:"signatures"`
}

// A Signature is one signature of an envelope.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   Base64 `json:"sig"`
}

// Base64 is written in the standard alphabet with padding, and read also in that of URLs.
type Base64 []byte

func (b Base64) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(b)), nil
}

func (b *Base64) UnmarshalText(text []byte) error {
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(string(text))
	got, err := base64.StdEncoding.Strict().DecodeString(standard)
	if err != nil {
		return fmt.Errorf("it is not Base64: %w", err)
	}
	*b = got
	return nil
}

// Parse reads an envelope. Its signatures are not verified.
func Parse(data []byte) (*Envelope, error) {
	if len(data) > MaxDocument {
		return nil, fmt.Errorf("%w: it has %d bytes, and may have %d", BadDocument, len(data), MaxDocument)
	}
	e := &Envelope{}
	if err := wire.Decode(data, e); err != nil {
		return nil, fmt.Errorf("%w: %w", BadDocument, err)
	}
	if len(e.Signatures) > MaxSignatures {
		return nil, fmt.Errorf("%w: it has more than %d signatures", BadDocument, MaxSignatures)
	}
	switch e.PayloadType {
	case RootType, ManifestType, OfferType:
		return e, nil
	}
	return nil, fmt.Errorf("%w: its payloadType %.80q is none of %s, %s, %s", BadDocument, e.PayloadType,
		RootType, ManifestType, OfferType)
}

// Bytes is the envelope as JSON.
func (e *Envelope) Bytes() ([]byte, error) { return wire.Encode(e) }

// Hash is the SHA-256 of the payload, in hexadecimal. More signatures do not change it.
func (e *Envelope) Hash() string {
	sum := sha256.Sum256(e.Payload)
	return hex.EncodeToString(sum[:])
}

// Signed returns the bytes that signatures are made of: the pre-authentication encoding of DSSE 1.0.
func (e *Envelope) Signed() []byte {
	head := fmt.Sprintf("DSSEv1 %d %s %d ", len(e.PayloadType), e.PayloadType, len(e.Payload))
	return append([]byte(head), e.Payload...)
}

// seal makes an envelope without signatures.
func seal(payloadType string, document any) (*Envelope, error) {
	payload, err := wire.Encode(document)
	if err != nil {
		return nil, err
	}
	return &Envelope{PayloadType: payloadType, Payload: payload, Signatures: []Signature{}}, nil
}

// open reads the payload of an envelope into document. Unknown fields are errors: each may restrict what
// a device may do, so it must not be ignored. Names have one spelling and come once, so that no two
// readers understand a document differently.
func (e *Envelope) open(payloadType string, document any) error {
	if e.PayloadType != payloadType {
		return fmt.Errorf("%w: its payloadType is %.80q and must be %s", BadDocument, e.PayloadType, payloadType)
	}
	if err := wire.Decode(e.Payload, document); err != nil {
		return fmt.Errorf("%w: %w", BadDocument, err)
	}
	if err := plainNames(json.NewDecoder(bytes.NewReader(e.Payload))); err != nil {
		return fmt.Errorf("%w: %w", BadDocument, err)
	}
	return nil
}

// plainNames reads a value of JSON that is known to be valid, and complains of null, and of names that come twice
// in an object, or have anything but a-z, 0-9 and underscores: Go takes some other letters for these.
func plainNames(d *json.Decoder) error {
	type object struct {
		seen map[string]bool // nil: it is an array
		name bool            // a name comes next
	}
	var in []object
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' }
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		top := len(in) - 1
		switch t := token.(type) {
		case nil:
			return errors.New("a value is null: leave the name out")
		case json.Delim:
			switch t {
			case '{':
				in = append(in, object{seen: map[string]bool{}, name: true})
				continue
			case '[':
				in = append(in, object{})
				continue
			}
			in = in[:top]
			top--
		case string:
			if top >= 0 && in[top].name {
				if strings.ContainsFunc(t, odd) || in[top].seen[t] {
					return fmt.Errorf("the name %.40q comes twice, or is not in lower case", t)
				}
				in[top].seen[t], in[top].name = true, false
				continue
			}
		}
		if top >= 0 && in[top].seen != nil {
			in[top].name = true
		}
	}
}
