package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/config"
)

// public requests the server by its public URL, as users do, through a proxy if there is one.
func (d *diagnosis) public(ctx context.Context, c config.Config) {
	if c.PublicURL == "" && !c.TLS.ACME() {
		return
	}
	base := strings.TrimSuffix(c.URL(), "/")
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	res, err := fetch(ctx, base+"/health", nil)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case untrusted:
		d.fail("public URL", "browsers reject the certificate of %s: %v", base, err)
	case err != nil:
		d.warn("public URL", "%s cannot be reached from this machine; see that the name leads here, that the proxy runs "+
			"and that the firewall lets it through (some networks do not lead their own machines back in: then ask from "+
			"elsewhere): %v", base, err)
	case res.StatusCode >= 502 && res.StatusCode <= 504:
		d.fail("public URL", "%s answers %s: the proxy there does not reach this server; see the address and port that it "+
			"was given", base, res.Status)
	case res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/json":
		d.fail("public URL", "something else answers on %s (%s); see that the name leads to this server, and that the "+
			"proxy passes every path on", base, res.Status)
	default:
		d.sockets(ctx, base)
	}
}

// sockets opens a WebSocket without a token. If the server can be reached as it should, it refuses
// with the error for a missing token.
func (d *diagnosis) sockets(ctx context.Context, base string) {
	res, err := fetch(ctx, base+"/ws", http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dW5oaWRyYSBkb2N0b3IhIQ=="}, "Origin": {base},
	})
	switch {
	case err != nil:
		d.fail("public URL", "%s answers, but not to WebSockets: %v", base, err)
	case res.StatusCode == http.StatusUnauthorized:
		d.ok("public URL", "%s leads here, and WebSockets pass", base)
	case res.StatusCode == http.StatusUpgradeRequired:
		d.fail("public URL", "the proxy at %s does not pass Upgrade on, so the web client stays at connecting; use the "+
			"files in deploy/nginx or deploy/traefik", base)
	default:
		d.fail("public URL", "WebSockets by %s are answered %s: %s", base, res.Status, res.detail)
	}
}

// An answer is the response to fetch, with the detail of its problem document.
type answer struct {
	*http.Response
	detail string
}

// fetch requests url over HTTP/1.1, as WebSockets do, and follows no redirects.
func fetch(ctx context.Context, url string, header http.Header) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	tr := &http.Transport{DisableKeepAlives: true, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	client := &http.Client{Transport: tr, CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	var problem struct{ Detail string }
	_ = json.NewDecoder(http.MaxBytesReader(nil, res.Body, 4<<10)).Decode(&problem) // without one there is no sentence
	return answer{res, problem.Detail}, nil
}
