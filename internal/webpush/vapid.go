package webpush

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// tokenLife is how long a token of VAPID is valid: half of what RFC 8292 allows.
const tokenLife = 12 * time.Hour

// A Sender sends messages to push services.
type Sender struct {
	key     *ecdsa.PrivateKey
	public  []byte
	subject string
	http    *http.Client
}

// NewSender returns a sender with a key that is always the same for a secret: with another key the subscriptions of
// all browsers would end. subject is a URL, https: or mailto:, by which push services reach the operator.
func NewSender(secret []byte, subject string, client *http.Client) (*Sender, error) {
	key, public, err := keyOf(secret)
	if err != nil {
		return nil, err
	}
	return &Sender{key: key, public: public, subject: subject, http: client}, nil
}

// keyOf derives a private key of P-256.
func keyOf(secret []byte) (*ecdsa.PrivateKey, []byte, error) {
	for i := 0; ; i++ {
		d, err := hkdf.Key(sha256.New, secret, nil, "VAPID "+strconv.Itoa(i), 32)
		if err != nil {
			return nil, nil, err
		}
		k, err := ecdh.P256().NewPrivateKey(d)
		if err != nil {
			continue // one of 2^32 is no key
		}
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
		return key, k.PublicKey().Bytes(), err
	}
}

// PublicKey is the applicationServerKey of subscriptions, in base64url.
func (s *Sender) PublicKey() string { return encode(s.public) }

// Options of a message.
type Options struct {
	TTL    time.Duration // how long the push service keeps it for a receiver that is away
	Urgent bool          // it may wake a receiver that saves power
	Topic  string        // replaces a waiting message of the same topic; at most 32 characters of base64url
}

// An Answer is what a push service said.
type Answer struct {
	Status     int
	RetryAfter time.Duration // 0: it said nothing
	Text       string        // the beginning of what it said, for logs and people
}

// Gone reports whether the subscription has ended.
func (a Answer) Gone() bool { return a.Status == http.StatusNotFound || a.Status == http.StatusGone }

// Taken reports whether the push service has the message.
func (a Answer) Taken() bool { return a.Status >= 200 && a.Status < 300 }

// Send encrypts text and sends it. An error means that there was no answer. It does not tell the endpoint, which is a
// secret.
func (s *Sender) Send(ctx context.Context, to Subscription, text []byte, o Options, now time.Time) (a Answer, err error) {
	body, err := Encrypt(to, text)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.Endpoint, bytes.NewReader(body))
	if err != nil {
		return a, withoutURL(err)
	}
	token, err := s.token(req.URL, now)
	if err != nil {
		return a, err
	}
	h := req.Header
	h.Set("Authorization", "vapid t="+token+", k="+s.PublicKey())
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Encoding", "aes128gcm")
	h.Set("TTL", strconv.Itoa(int(o.TTL/time.Second)))
	h.Set("Urgency", "normal")
	if o.Urgent {
		h.Set("Urgency", "high")
	}
	if o.Topic != "" {
		h.Set("Topic", o.Topic)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return a, withoutURL(err)
	}
	defer func() { _ = res.Body.Close() }()
	said, _ := io.ReadAll(io.LimitReader(res.Body, 512))
	return Answer{Status: res.StatusCode, RetryAfter: retryAfter(res.Header.Get("Retry-After"), now),
		Text: strings.ToValidUTF8(strings.TrimSpace(string(said)), "")}, nil
}

// withoutURL leaves out of an error the URL that it was about.
func withoutURL(err error) error {
	var about *url.Error
	if errors.As(err, &about) {
		return about.Err
	}
	return err
}

// token returns a JWT for the origin of a push service.
func (s *Sender) token(endpoint *url.URL, now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"aud": endpoint.Scheme + "://" + endpoint.Host, "exp": now.Add(tokenLife).Unix(), "sub": s.subject,
	})
	if err != nil {
		return "", err
	}
	signed := encode([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		return "", err
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	v.FillBytes(sig[32:])
	return signed + "." + encode(sig[:]), nil
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3): seconds, or a time.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return max(0, time.Duration(n)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
