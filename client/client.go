// Package client talks to an Unhidra server: its REST API with the methods of
// Client, and live over a WebSocket with those of Live.
//
//	c := client.New("http://localhost:9000")
//	if err := c.SignIn(ctx, "ada", "correct horse battery staple"); err != nil { … }
//	live := c.Live(ctx, client.LiveOptions{OnEvent: func(e client.Event) { … }})
//	defer live.Close()
//	sent, err := live.Send(ctx, client.Draft{Room: room, Text: "hello"})
//
// A Live reconnects by itself. Whatever happens to the connection, it gives
// each event of each room once and in order, and a message that Send has
// returned without an error is on the server's disk, once.
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

// Client speaks to one server as one user. Its methods may be called at the
// same time.
type Client struct {
	base string
	http *http.Client

	// Source, if set, gives the access token instead of signing in. With
	// refresh, the last one given was refused or is about to end. It must be
	// set before the first call.
	Source func(ctx context.Context, refresh bool) (token string, err error)

	tls    *tls.Config // of the WebSocket; nil: the system's authorities
	bad    error       // base is no address of a server
	strict bool        // refuse fields that are not known; for tests

	mu         sync.Mutex
	tokens     Tokens
	ticket     string        // of a sign-in that asks for a second factor
	refreshing chan struct{} // closed when a refresh that is under way has ended
}

// Tokens are what a session consists of. They are secrets.
type Tokens struct {
	Access  string
	Expires time.Time // of Access
	Refresh string
}

// New returns a client for the server at base, such as http://localhost:9000. If
// base is no such address, every call says so.
func New(base string) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), http: &http.Client{Timeout: 30 * time.Second}, bad: Valid(base)}
}

// Valid says what is wrong with base as the address of a server, if anything is.
func Valid(base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fmt.Errorf("%q is not the address of a server; it looks like http://localhost:9000 or https://chat.example.org", base)
	}
	return nil
}

// Trust makes c use config for https, for servers with certificates of an
// authority of one's own. It must be called before the first request.
func (c *Client) Trust(config *tls.Config) {
	c.tls = config
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = config.Clone()
	c.http.Transport = t
}

// Token gives c an access token that was issued in another way, as by `unhidra
// token issue`. It cannot be refreshed.
func (c *Client) Token(access string) { c.SetTokens(Tokens{Access: access}) }

// Device makes c a device, by the key that it was registered with. A key opens a
// WebSocket and nothing else: of c's methods, only Live works.
func (c *Client) Device(key string) { c.SetTokens(Tokens{Access: key}) }

// Tokens returns the session's tokens, to be kept for SetTokens.
func (c *Client) Tokens() Tokens {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens
}

// SetTokens continues a session.
func (c *Client) SetTokens(t Tokens) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = t
}

const maxAnswer = 64 << 20

// Do sends a request to a path under /api/v1 and reads the answer into out,
// both as JSON; either may be nil. A refusal is an *Error. It is the way to
// whatever has no method here.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	token, err := c.token(ctx, "")
	if err != nil {
		return err
	}
	err = c.call(ctx, method, path, token, in, out)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusUnauthorized && token != "" {
		if token, err = c.token(ctx, token); err != nil {
			return err
		}
		return c.call(ctx, method, path, token, in, out)
	}
	return err
}

func (c *Client) call(ctx context.Context, method, path, token string, in, out any) error {
	if c.bad != nil {
		return c.bad
	}
	var body io.Reader
	if in != nil {
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
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
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

// decode reads JSON that the server sent. Fields that are not known are those of
// a later server, and left out.
func (c *Client) decode(b []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if c.strict {
		d.DisallowUnknownFields()
	}
	return d.Decode(out)
}

// problem reads a problem document.
func problem(status int, b []byte) *Error {
	var p struct {
		Kind       string  `json:"kind"`
		Code       Code    `json:"code"`
		Detail     string  `json:"detail"`
		RetryAfter float64 `json:"retry_after"`
		Errors     []Field `json:"errors"`
	}
	if err := json.Unmarshal(b, &p); err != nil || p.Detail == "" {
		p.Kind, p.Detail = "internal", fmt.Sprintf("the server answered %d %s", status, http.StatusText(status))
	}
	return &Error{
		Kind: p.Kind, Code: p.Code, Detail: p.Detail, Fields: p.Errors, Status: status,
		RetryAfter: time.Duration(p.RetryAfter * float64(time.Second)),
	}
}
