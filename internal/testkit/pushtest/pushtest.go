// Package pushtest stands in for browsers with push subscriptions, and for their push services.
package pushtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A Browser has the keys of one subscription.
type Browser struct {
	Endpoint string
	Auth     []byte
	key      *ecdh.PrivateKey
}

// NewBrowser returns a browser with new keys.
func NewBrowser(tb testing.TB, endpoint string) *Browser {
	tb.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	b := &Browser{Endpoint: endpoint, Auth: make([]byte, 16), key: key}
	_, _ = rand.Read(b.Auth) // never fails
	return b
}

// Public returns the public key of the subscription.
func (b *Browser) Public() []byte { return b.key.PublicKey().Bytes() }

// Keys returns what a browser tells a server of its subscription, as JSON has it.
func (b *Browser) Keys() map[string]string {
	e := base64.RawURLEncoding
	return map[string]string{"endpoint": b.Endpoint, "p256dh": e.EncodeToString(b.Public()), "auth": e.EncodeToString(b.Auth)}
}

// Decrypt returns the text of a message for this browser (RFC 8291).
func (b *Browser) Decrypt(body []byte) ([]byte, error) {
	const header = 16 + 4 + 1
	if len(body) < header+65 || body[header-1] != 65 {
		return nil, io.ErrUnexpectedEOF
	}
	salt, sender := body[:16], body[header:header+65]
	public, err := ecdh.P256().NewPublicKey(sender)
	if err != nil {
		return nil, err
	}
	shared, err := b.key.ECDH(public)
	if err != nil {
		return nil, err
	}
	var made [3][]byte // IKM, key, nonce
	for i, c := range []struct {
		secret, salt []byte
		info         string
		n            int
	}{
		{shared, b.Auth, "WebPush: info\x00" + string(b.Public()) + string(sender), 32},
		{nil, salt, "Content-Encoding: aes128gcm\x00", 16}, {nil, salt, "Content-Encoding: nonce\x00", 12},
	} {
		if c.secret == nil {
			c.secret = made[0]
		}
		if made[i], err = hkdf.Key(sha256.New, c.secret, c.salt, c.info, c.n); err != nil {
			return nil, err
		}
	}
	block, err := aes.NewCipher(made[1])
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	record, err := gcm.Open(nil, made[2], body[header+65:], nil)
	if err != nil {
		return nil, err
	}
	text := strings.TrimRight(string(record), "\x00")
	if !strings.HasSuffix(text, "\x02") {
		return nil, errors.New("this is not the last record")
	}
	return []byte(text[:len(text)-1]), nil
}

// A Message is one that a push service got.
type Message struct {
	Header http.Header
	Body   []byte
}

// A Service is a push service. Its browsers have endpoints under its URL.
type Service struct {
	URL  string
	Got  chan Message // what it took
	mu   sync.Mutex
	next []func(w http.ResponseWriter)
}

// NewService starts a push service that ends with the test.
func NewService(tb testing.TB) *Service {
	tb.Helper()
	s := &Service{Got: make(chan Message, 100)}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	tb.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Refuse has the service answer the next message by answer, and not take it.
func (s *Service) Refuse(answer func(w http.ResponseWriter)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, answer)
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	var answer func(http.ResponseWriter)
	if len(s.next) > 0 {
		answer, s.next = s.next[0], s.next[1:]
	}
	s.mu.Unlock()
	if answer != nil {
		answer(w)
		return
	}
	s.Got <- Message{r.Header, body}
	w.WriteHeader(http.StatusCreated)
}
