package provision

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// An exchange sends the body of a handshake and returns the answer. It fails with errRefused if the device has closed
// the connection instead of answering: that is how it refuses.
type exchange func(ctx context.Context, body []byte) ([]byte, error)

var errRefused = errors.New("the device has ended the session, as it does when another one begins: try again")

// A session encrypts what is sent after a handshake, in the order in which it is sent and received.
type session interface {
	seal(body []byte) ([]byte, error)
	open(body []byte) ([]byte, error)
}

// plain is Security 0.
type plain struct{}

func (plain) seal(b []byte) ([]byte, error) { return b, nil }
func (plain) open(b []byte) ([]byte, error) { return b, nil }

func security0(ctx context.Context, send exchange) (session, error) {
	body := message{}.bytes(10, message{}.bytes(20, nil).encode()).encode()
	answer, err := handshake(ctx, send, body, 10, 21)
	if err != nil {
		return nil, err
	}
	return plain{}, statusOf(answer)
}

// handshake sends a body, and returns the message in the two fields of the answer.
func handshake(ctx context.Context, send exchange, body []byte, outer, inner int) (message, error) {
	raw, err := send(ctx, body)
	if err != nil {
		return nil, err
	}
	m, err := parse(raw)
	if err == nil {
		m, err = m.message(outer)
	}
	if err == nil {
		m, err = m.message(inner)
	}
	return m, err
}

func statusOf(m message) error {
	if s := m.number(fieldStatus); s != 0 {
		return fmt.Errorf("the device refuses the session: status %d", s)
	}
	return nil
}

// stream is Security 1 after its handshake: one key stream for both directions.
type stream struct{ ctr cipher.Stream }

func (s stream) seal(b []byte) ([]byte, error) {
	out := make([]byte, len(b))
	s.ctr.XORKeyStream(out, b)
	return out, nil
}

func (s stream) open(b []byte) ([]byte, error) { return s.seal(b) }

// security1 agrees on a key by X25519, to which the proof of possession is added, and proves it both ways by AES-CTR.
// Nothing protects what is sent afterwards from being changed: that is Security 2.
func security1(ctx context.Context, send exchange, key *ecdh.PrivateKey, pop string) (session, error) {
	sec1 := func(m message) []byte {
		return message{}.with(fieldSecVer, 1).bytes(11, m.encode()).encode()
	}
	mine := key.PublicKey().Bytes()
	answer, err := handshake(ctx, send, sec1(message{}.bytes(20, message{}.bytes(1, mine).encode())), 11, 21)
	if err != nil {
		return nil, err
	}
	if err := statusOf(answer); err != nil {
		return nil, err
	}
	theirs, random := answer.get(2), answer.get(3)
	ctr, err := keyStream(key, theirs, random, pop)
	if err != nil {
		return nil, err
	}
	s := stream{ctr}
	proof, _ := s.seal(theirs)
	answer, err = handshake(ctx, send, sec1(message{}.with(fieldMsg, 2).bytes(22, message{}.bytes(2, proof).encode())),
		11, 23)
	if errors.Is(err, errRefused) {
		return nil, ErrProof
	}
	if err != nil {
		return nil, err
	}
	if err := statusOf(answer); err != nil {
		return nil, err
	}
	if back, _ := s.open(answer.get(3)); !hmac.Equal(back, mine) {
		return nil, ErrProof
	}
	return s, nil
}

func keyStream(key *ecdh.PrivateKey, theirs, random []byte, pop string) (cipher.Stream, error) {
	peer, err := ecdh.X25519().NewPublicKey(theirs)
	if err != nil || len(random) != aes.BlockSize {
		return nil, errMessage
	}
	shared, err := key.ECDH(peer)
	if err != nil {
		return nil, errMessage
	}
	if pop != "" {
		sum := sha256.Sum256([]byte(pop))
		for i := range shared {
			shared[i] ^= sum[i]
		}
	}
	block, err := aes.NewCipher(shared)
	if err != nil {
		return nil, err
	}
	return cipher.NewCTR(block, random), nil
}

// sealed is Security 2 after its handshake: AES-GCM, whose counter is one for both directions.
type sealed struct {
	gcm   cipher.AEAD
	nonce [12]byte
	ended bool
}

func newSealed(key, nonce []byte) (*sealed, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	s := &sealed{gcm: gcm}
	if copy(s.nonce[:], nonce) != len(s.nonce) {
		return nil, errMessage
	}
	return s, nil
}

var errEnded = errors.New("the session has ended; connect again")

// next counts a message. A nonce is never used again.
func (s *sealed) next() {
	n := binary.BigEndian.Uint32(s.nonce[8:]) + 1
	binary.BigEndian.PutUint32(s.nonce[8:], n)
	s.ended = n == 0
}

func (s *sealed) seal(b []byte) ([]byte, error) {
	if s.ended {
		return nil, errEnded
	}
	defer s.next()
	return s.gcm.Seal(nil, s.nonce[:], b, nil), nil
}

func (s *sealed) open(b []byte) ([]byte, error) {
	if s.ended {
		return nil, errEnded
	}
	out, err := s.gcm.Open(nil, s.nonce[:], b, nil)
	if err != nil {
		s.ended = true // the counters may differ
		return nil, errors.New("the device's answer was changed on its way")
	}
	s.next()
	return out, nil
}

// security2 agrees on a key by SRP6a, and proves it both ways.
func security2(ctx context.Context, send exchange, random func([]byte), user, password string) (session, error) {
	sec2 := func(m message) []byte { return message{}.with(fieldSecVer, 2).bytes(12, m.encode()).encode() }
	c := newSRP(random)
	hello := message{}.bytes(1, []byte(user)).bytes(2, c.public)
	answer, err := handshake(ctx, send, sec2(message{}.bytes(20, hello.encode())), 12, 21)
	if err != nil {
		return nil, err
	}
	if err := statusOf(answer); err != nil {
		return nil, err
	}
	proof, err := c.prove(user, password, answer.get(3), answer.get(2))
	if err != nil {
		return nil, err
	}
	answer, err = handshake(ctx, send, sec2(message{}.with(fieldMsg, 2).bytes(22, message{}.bytes(1, proof).encode())),
		12, 23)
	if errors.Is(err, errRefused) {
		return nil, ErrProof
	}
	if err != nil {
		return nil, err
	}
	if err := statusOf(answer); err != nil {
		return nil, err
	}
	if !hmac.Equal(answer.get(2), c.expected) {
		return nil, ErrProof
	}
	return newSealed(c.key[:32], answer.get(3))
}

func fill(b []byte) { _, _ = rand.Read(b) } // never fails since Go 1.24
