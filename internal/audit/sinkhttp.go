package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const maxPost = 1 << 20 // bytes of one request

// Roots reads the CA certificates for receivers from a PEM file. Without a path it returns nil,
// which stands for the system's.
func Roots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("UNHIDRA_AUDIT_CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("UNHIDRA_AUDIT_CA: there is no certificate in %s", path)
	}
	return pool, nil
}

// client returns an HTTP client that does not follow redirects, because a signed request is for one
// receiver only.
func client(roots *x509.CertPool) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &http.Client{
		Transport: t, Timeout: sinkTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bodies sends records in requests of a size that receivers accept.
func bodies(
	records []domain.AuditRecord, line func(domain.AuditRecord) []byte, send func(first, last int64, body []byte) error,
) error {
	var b bytes.Buffer
	var first, last int64
	for _, r := range records {
		l := line(r)
		if b.Len() > 0 && b.Len()+len(l)+1 > maxPost {
			if err := send(first, last, b.Bytes()); err != nil {
				return err
			}
			b.Reset()
		}
		if b.Len() == 0 {
			first = r.Seq
		}
		last = r.Seq
		b.Write(l)
		b.WriteByte('\n')
	}
	return send(first, last, b.Bytes())
}

// post sends a request. It fails unless the status is a success, and returns the begin of the body.
func post(c *http.Client, r *http.Request) (answer []byte, err error) {
	res, err := c.Do(r)
	if err != nil {
		var u *url.Error // its text has the URL, whose query may contain a secret
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(res.Body, 4096))
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("it answered %s", res.Status)
	}
	return answer, err
}

// Webhook is a sink that posts records to any HTTP server, signed with a shared secret.
type Webhook struct {
	url    string
	secret []byte
	format Format
	client *http.Client
	now    func() time.Time
}

// NewWebhook returns a sink that posts to address. Every address is allowed: whoever configures the
// server may reach what it can reach.
func NewWebhook(address string, secret []byte, roots *x509.CertPool, f Format) *Webhook {
	return &Webhook{url: address, secret: secret, format: f, client: client(roots), now: time.Now}
}

// Name identifies the receiver, without the parts of its address that may be secret.
func (s *Webhook) Name() string { return "webhook:" + sinkID(s.url) }

func sinkID(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "?"
	}
	sum := sha256.Sum256([]byte(address))
	return u.Host + "/" + hex.EncodeToString(sum[:4])
}

// Send posts signed records.
func (s *Webhook) Send(ctx context.Context, records []domain.AuditRecord) error {
	return bodies(records, s.format.Line, func(first, last int64, body []byte) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
		if err != nil {
			return errors.New("its address is not one")
		}
		at := strconv.FormatInt(s.now().Unix(), 10)
		r.Header.Set("Content-Type", s.format.ContentType())
		r.Header.Set("User-Agent", "unhidra-audit")
		r.Header.Set("X-Audit-Timestamp", at)
		r.Header.Set("X-Audit-Signature", "v1="+hex.EncodeToString(Signature(s.secret, at, body)))
		r.Header.Set("Idempotency-Key", strconv.FormatInt(first, 10)+"-"+strconv.FormatInt(last, 10))
		_, err = post(s.client, r)
		return err
	})
}

// Signature returns the HMAC-SHA-256 of a webhook request: of its time, as in the header, and its
// body.
func Signature(secret []byte, at string, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	_, _ = h.Write([]byte(at + "."))
	_, _ = h.Write(body)
	return h.Sum(nil)
}

// Close closes idle connections.
func (s *Webhook) Close() error { s.client.CloseIdleConnections(); return nil }

// HEC is a sink for Splunk's HTTP Event Collector.
type HEC struct {
	url    string
	token  string
	host   string
	format Format
	client *http.Client
}

// NewHEC returns a sink that posts to the collector at address.
func NewHEC(address, token string, roots *x509.CertPool, host string, f Format) *HEC {
	if u, err := url.Parse(address); err == nil && strings.Trim(u.Path, "/") == "" {
		address = strings.TrimRight(address, "/") + "/services/collector/event"
	}
	return &HEC{url: address, token: token, host: host, format: f, client: client(roots)}
}

// Name identifies the receiver.
func (s *HEC) Name() string { return "hec:" + sinkID(s.url) }

// Send posts records as events.
func (s *HEC) Send(ctx context.Context, records []domain.AuditRecord) error {
	return bodies(records, s.event, func(_, _ int64, body []byte) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
		if err != nil {
			return errors.New("its address is not one")
		}
		r.Header.Set("Authorization", "Splunk "+s.token)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("User-Agent", "unhidra-audit")
		answer, err := post(s.client, r)
		if err != nil {
			return err
		}
		var a struct {
			Text string
			Code int
		}
		if json.Unmarshal(answer, &a) == nil && a.Code != 0 {
			return fmt.Errorf("it answered code %d", a.Code)
		}
		return nil
	})
}

func (s *HEC) event(r domain.AuditRecord) []byte {
	ms := open(r).millis()
	sourcetype := "unhidra:audit"
	if s.format.name != "native" {
		sourcetype += ":" + s.format.name
	}
	head := canonical(object{"time": number(fmt.Sprintf("%d.%03d", ms/1000, ms%1000)), "host": s.host, "source": "unhidra",
		"sourcetype": sourcetype})
	line := s.format.Line(r)
	if s.format.name == "cef" {
		line = appendString(nil, string(line))
	}
	out := append([]byte(`{"event":`), line...)
	out = append(out, ',')
	return append(out, head[1:]...)
}

// Close closes idle connections.
func (s *HEC) Close() error { s.client.CloseIdleConnections(); return nil }
