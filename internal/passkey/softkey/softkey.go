// Package softkey is an authenticator in software, and the browser before it,
// for tests: it answers the options that a server sends as they would. Nothing
// else may use it.
package softkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
)

// Key is an authenticator that holds one passkey at most. Its fields may be
// changed between ceremonies, to see what a server makes of it.
type Key struct {
	Origin  string // of the page it believes to be on
	ID      []byte
	Private *ecdsa.PrivateKey
	Handle  []byte // the user it was made for
	Domain  string // it was made for

	Verified, BackupEligible, BackedUp bool
	Absent                             bool // nobody touches it
	Count                              uint32
	Counts                             bool // those of phones do not
}

// New returns a key without a passkey, on a page of an origin.
func New(origin string) *Key { return &Key{Origin: origin, Verified: true} }

// Options are those of both ceremonies, as far as a key minds.
type Options struct {
	PublicKey struct {
		Challenge string `json:"challenge"`
		Party     struct {
			ID string `json:"id"`
		} `json:"rp"`
		User struct {
			ID string `json:"id"`
		} `json:"user"`
		Allowed  []Descriptor `json:"allowCredentials"`
		Excluded []Descriptor `json:"excludeCredentials"`
	} `json:"publicKey"`
}

// Descriptor names a passkey.
type Descriptor struct {
	ID string `json:"id"`
}

var b64 = base64.RawURLEncoding

// Make makes a passkey and answers the options of a registration.
func (k *Key) Make(options []byte) ([]byte, error) {
	var o Options
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, err
	}
	if k.ID != nil && slices.Contains(o.PublicKey.Excluded, Descriptor{b64.EncodeToString(k.ID)}) {
		return nil, errors.New("InvalidStateError: there is one already")
	}
	var err error
	if k.Handle, err = b64.DecodeString(o.PublicKey.User.ID); err != nil {
		return nil, err
	}
	if k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	point, err := k.Private.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	k.ID, k.Domain = make([]byte, 16), o.PublicKey.Party.ID
	_, _ = rand.Read(k.ID)

	data := k.data(0x40)
	data = append(data, make([]byte, 16)...) // AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.ID)))
	data = append(data, k.ID...)
	// The COSE key and the attestation object are CBOR maps of a fixed form.
	data = append(data, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32)
	data = append(data, point[1:33]...)
	data = append(data, 0x22, 0x58, 32)
	data = append(data, point[33:]...)
	object := []byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59")
	object = binary.BigEndian.AppendUint16(object, uint16(len(data)))
	object = append(object, data...)

	return k.answer(map[string]any{
		"clientDataJSON": k.client("webauthn.create", o), "attestationObject": b64.EncodeToString(object),
		"transports": []string{"internal", "hybrid"},
	})
}

// Sign answers the options of a sign-in.
func (k *Key) Sign(options []byte) ([]byte, error) {
	var o Options
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, err
	}
	allowed := o.PublicKey.Allowed
	if k.ID == nil || len(allowed) > 0 && !slices.Contains(allowed, Descriptor{b64.EncodeToString(k.ID)}) {
		return nil, errors.New("NotAllowedError: no passkey for this")
	}
	if k.Counts {
		k.Count++
	}
	data, client := k.data(0), k.client("webauthn.get", o)
	raw, err := b64.DecodeString(client)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	digest := sha256.Sum256(append(slices.Clone(data), sum[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.Private, digest[:])
	if err != nil {
		return nil, err
	}
	return k.answer(map[string]any{
		"clientDataJSON": client, "authenticatorData": b64.EncodeToString(data),
		"signature": b64.EncodeToString(signature), "userHandle": b64.EncodeToString(k.Handle),
	})
}

func (k *Key) answer(response map[string]any) ([]byte, error) {
	id := b64.EncodeToString(k.ID)
	return json.Marshal(map[string]any{
		"id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "platform",
		"clientExtensionResults": map[string]any{}, "response": response,
	})
}

// data is the authenticator's data: whose it is, its flags and its counter.
func (k *Key) data(flags byte) []byte {
	for bit, set := range map[byte]bool{0x01: !k.Absent, 0x04: k.Verified, 0x08: k.BackupEligible, 0x10: k.BackedUp} {
		if set {
			flags |= bit
		}
	}
	sum := sha256.Sum256([]byte(k.Domain))
	return binary.BigEndian.AppendUint32(append(sum[:], flags), k.Count)
}

func (k *Key) client(kind string, o Options) string {
	raw, _ := json.Marshal(map[string]any{"type": kind, "challenge": o.PublicKey.Challenge, "origin": k.Origin,
		"crossOrigin": false})
	return b64.EncodeToString(raw)
}
