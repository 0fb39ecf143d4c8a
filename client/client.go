// Package client is a client for Unhidra servers: Client has the REST API, and Live a WebSocket
// connection.
//
//	c := client.New("http://localhost:9000")
//	if err := c.SignIn(ctx, "ada", "correct horse battery staple"); err != nil { … }
//	live := c.Live(ctx, client.LiveOptions{OnEvent: func(e client.Event) { … }})
//	defer live.Close()
//	sent, err := live.Send(ctx, client.Draft{Room: room, Text: "hello"})
//
// A Live reconnects by itself. Across reconnections it delivers each event of a room once and in
// order. A message for which Send has returned no error is durable on the server, once.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Client is a client of one server, for one user or device. Its methods are safe for concurrent
// use.
type Client struct {
	base string
	http *http.Client

	// Source, if not nil, returns the access token; signing in is not needed then. refresh is true
	// if the last token was refused or is about to expire. Source must be set before the first
	// call.
	Source func(ctx context.Context, refresh bool) (token string, err error)

	// Traceparent, if not nil, returns the traceparent (W3C Trace Context) that a request with ctx is
	// sent with, so that a server that traces continues the trace; empty: none. With OpenTelemetry it
	// is propagation.TraceContext's Inject. It must be set before the first call.
	Traceparent func(ctx context.Context) string

	tls    *tls.Config // for WebSockets; nil: the system's CAs
	bad    error       // why base is not valid
	strict bool        // for tests: fail on unknown fields

	mu         sync.Mutex
	tokens     Tokens
	ticket     string        // of a sign-in that requires a second factor
	refreshing chan struct{} // closed when the current refresh has ended
}

// Tokens are the tokens of a session. They are secrets.
type Tokens struct {
	Access  string
	Expires time.Time // of Access
	Refresh string
}

// New returns a client for the server at base, for example http://localhost:9000. If base is not
// valid, every call returns an error.
func New(base string) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), bad: Valid(base),
		http: &http.Client{Timeout: 30 * time.Second, Transport: shared}}
}

// shared keeps as many connections as parts of files are on their way at once, and those of a few files.
var shared = func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 8
	return t
}()

// Valid returns an error if base is not a valid address of a server.
func Valid(base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fmt.Errorf("%q is not the address of a server; it looks like http://localhost:9000 or "+
			"https://chat.example.org", base)
	}
	return nil
}

// Trust makes c use config for TLS, for example for servers with certificates of a private CA. It
// must be called before the first request.
func (c *Client) Trust(config *tls.Config) {
	c.tls = config
	t := shared.Clone()
	t.TLSClientConfig = config.Clone()
	c.http.Transport = t
}

// Token makes c use an access token from elsewhere, for example from `unhidra token issue`. It is
// not refreshed.
func (c *Client) Token(access string) { c.SetTokens(Tokens{Access: access}) }

// Device makes c a device with this key. A key opens connections and nothing else: of c's methods
// only Live works.
func (c *Client) Device(key string) { c.SetTokens(Tokens{Access: key}) }

// Tokens returns the tokens of the session. SetTokens continues it.
func (c *Client) Tokens() Tokens {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens
}

// SetTokens continues a session with its tokens.
func (c *Client) SetTokens(t Tokens) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = t
}

const maxAnswer = 64 << 20

// Do sends a request to a path under /api/v1 with in as JSON, and decodes the response into out.
// Both may be nil. If the server refuses the request, the error is an *Error. Do is for operations
// without a method of their own.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	token, err := c.token(ctx, "")
	if err != nil {
		return err
	}
	err = c.call(ctx, method, path, token, in, out)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusUnauthorized && token != "" {
		if token, err = c.token(ctx, token); err != nil {
			var ended *Error
			if errors.As(err, &ended) && ended.Code == CodeSignedOut && c.Tokens().Refresh == "" {
				return &Error{Kind: ended.Kind, Code: ended.Code, Detail: e.Detail, Status: e.Status} // the server knows more
			}
			return err
		}
		return c.call(ctx, method, path, token, in, out)
	}
	return err
}

// Bytes is a body that Do sends as it is.
type Bytes []byte

// image is a body that Do sends as what its first bytes are.
type image []byte

func (c *Client) call(ctx context.Context, method, path, token string, in, out any) error {
	if c.bad != nil {
		return c.bad
	}
	var body io.Reader
	kind := "application/json"
	if raw, ok := in.(Bytes); ok {
		kind, body = "application/octet-stream", bytes.NewReader(raw)
	} else if raw, ok := in.(image); ok {
		kind, body = http.DetectContentType(raw), bytes.NewReader(raw)
	} else if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/api/v1"+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", kind)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if parent := c.traceparent(ctx); parent != "" {
		req.Header.Set("traceparent", parent)
	}
	caller := c.http
	if kind != "application/json" {
		caller = c.patient()
	}
	resp, err := caller.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 400 {
		return problem(resp.StatusCode, b)
	}
	if out == nil || len(b) == 0 {
		return nil
	}
	return c.decode(b, out)
}

// decode decodes JSON from the server. Unknown fields are ignored, because a later server may send
// them.
func (c *Client) decode(b []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if c.strict {
		d.DisallowUnknownFields()
	}
	return d.Decode(out)
}

func (c *Client) traceparent(ctx context.Context) string {
	if c.Traceparent == nil {
		return ""
	}
	return c.Traceparent(ctx)
}

// problem decodes a problem document (RFC 9457).
func problem(status int, b []byte) *Error {
	var p struct {
		Kind       string  `json:"kind"`
		Code       Code    `json:"code"`
		Detail     string  `json:"detail"`
		RetryAfter float64 `json:"retry_after"`
		Values     map[string]string
		Errors     []Field `json:"errors"`
		Trace      string  `json:"trace"`
	}
	if err := json.Unmarshal(b, &p); err != nil || p.Detail == "" {
		p.Kind, p.Detail = "internal", fmt.Sprintf("the server answered %d %s", status, http.StatusText(status))
	}
	return &Error{
		Kind: p.Kind, Code: p.Code, Detail: p.Detail, Fields: p.Errors, Status: status,
		RetryAfter: time.Duration(p.RetryAfter * float64(time.Second)), Trace: p.Trace, Values: p.Values,
	}
}
