// Package webpush encrypts messages for browsers and apps that have a subscription (RFC 8291, with the content coding
// aes128gcm of RFC 8188), and proves to their push services who sends them (VAPID, RFC 8292). UnifiedPush has the
// same form.
package webpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxText is the longest text of a message, in bytes: all push services must take what it becomes, padded.
const MaxText = 2559

const (
	recordSize = 4096
	padStep    = 512 // texts are padded to steps of this size, so that their length says little
	authLength = 16
	saltLength = 16
)

// A Subscription is where messages for one browser or app go, and by which keys they are encrypted.
type Subscription struct {
	Endpoint string // https URL of the push service
	Key      []byte // public key of the receiver: an uncompressed point of P-256, 65 bytes
	Auth     []byte // secret of 16 bytes that the receiver and the server share
}

// CheckKeys returns an error if nothing could be encrypted by the keys of a subscription.
func CheckKeys(key, auth []byte) error {
	if _, err := ecdh.P256().NewPublicKey(key); err != nil {
		return errors.New("this is not a public key of P-256 in its uncompressed form")
	}
	if len(auth) != authLength {
		return fmt.Errorf("this is not a secret of %d bytes", authLength)
	}
	return nil
}

// Encrypt returns the body of the request that sends text to the receiver of s. It is padded: its length tells the
// length of text to the nearest 512 bytes.
func Encrypt(s Subscription, text []byte) ([]byte, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("%d bytes are too long for a push message, which has at most %d", len(text), MaxText)
	}
	own, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	var salt [saltLength]byte
	_, _ = rand.Read(salt[:]) // never fails
	padding := padStep - 1 - len(text)%padStep
	return encrypt(s, text, padding, own, salt[:])
}

// encrypt encrypts text with padding as the one record of a message, by a key and salt that were never used before.
func encrypt(s Subscription, text []byte, padding int, own *ecdh.PrivateKey, salt []byte) ([]byte, error) {
	receiver, err := ecdh.P256().NewPublicKey(s.Key)
	if err != nil {
		return nil, err
	}
	shared, err := own.ECDH(receiver)
	if err != nil {
		return nil, err
	}
	public := own.PublicKey().Bytes()
	info := "WebPush: info\x00" + string(s.Key) + string(public)
	ikm, err := hkdf.Key(sha256.New, shared, s.Auth, info, sha256.Size)
	if err != nil {
		return nil, err
	}
	body := append([]byte{}, salt...)
	body = binary.BigEndian.AppendUint32(body, recordSize)
	body = append(append(body, byte(len(public))), public...)
	record := append(append([]byte{}, text...), 2) // 2: the last record
	return seal(body, ikm, salt, append(record, make([]byte, padding)...))
}

// seal appends record to body, encrypted with the key and the nonce of the first record of RFC 8188.
func seal(body, ikm, salt, record []byte) ([]byte, error) {
	gcm, nonce, err := cipherOf(ikm, salt)
	if err != nil {
		return nil, err
	}
	return gcm.Seal(body, nonce, record, nil), nil
}

func cipherOf(ikm, salt []byte) (gcm cipher.AEAD, nonce []byte, err error) {
	key, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, nil, err
	}
	if nonce, err = hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12); err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	gcm, err = cipher.NewGCM(block)
	return gcm, nonce, err
}

// encode is base64url without padding, as all of Web Push has it.
func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
