package ws

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Refused is a server's answer that is not an upgrade.
type Refused struct {
	Status int
	Header http.Header
	Body   []byte // at most 16 KiB
}

func (e *Refused) Error() string {
	return fmt.Sprintf("websocket: the server answered %d %s", e.Status, http.StatusText(e.Status))
}

// Dial opens a WebSocket to a ws:, wss:, http: or https: URL and offers
// protocols, of which the server must choose the first. What the server sent
// beyond its handshake is in early. A server that answers with anything but an
// upgrade gives a *Refused.
func Dial(
	ctx context.Context, address string, header http.Header, protocols []string, tlsConfig *tls.Config,
) (conn net.Conn, early []byte, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, nil, err
	}
	nc, err := connect(ctx, u, tlsConfig)
	if err != nil {
		return nil, nil, err
	}
	if early, err = upgrade(ctx, nc, u, header, protocols); err != nil {
		_ = nc.Close()
		return nil, nil, err
	}
	return nc, early, nil
}

// Upgrade is Dial on a connection that is there, for those who open it in a way of their own. It
// does not close nc.
func Upgrade(ctx context.Context, nc net.Conn, address string, protocols []string) (early []byte, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	return upgrade(ctx, nc, u, nil, protocols)
}

// upgrade is the handshake. A context that ends makes it fail at once. That may run beside the
// return, and so must not look at the results.
func upgrade(
	ctx context.Context, nc net.Conn, u *url.URL, header http.Header, protocols []string,
) (early []byte, err error) {
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	early, err = handshake(nc, u, header, protocols)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	return early, err
}

func connect(ctx context.Context, u *url.URL, tlsConfig *tls.Config) (net.Conn, error) {
	secure := u.Scheme == "wss" || u.Scheme == "https"
	port := u.Port()
	switch {
	case port != "":
	case secure:
		port = "443"
	default:
		port = "80"
	}
	address := net.JoinHostPort(u.Hostname(), port)
	if secure {
		d := tls.Dialer{Config: tlsConfig}
		return d.DialContext(ctx, "tcp", address)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

func handshake(conn net.Conn, u *url.URL, header http.Header, protocols []string) (early []byte, err error) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails since Go 1.24
	key := base64.StdEncoding.EncodeToString(nonce[:])
	req := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: header.Clone(), ProtoMajor: 1,
		ProtoMinor: 1}
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Sec-WebSocket-Version", "13")
	req.Header.Set("Sec-WebSocket-Key", key)
	if len(protocols) > 0 {
		req.Header.Set("Sec-WebSocket-Protocol", strings.Join(protocols, ", "))
	}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
		return nil, &Refused{resp.StatusCode, resp.Header, body}
	}
	switch {
	case !hasToken(resp.Header, "Upgrade", "websocket"), resp.Header.Get("Sec-Websocket-Accept") != AcceptKey(key):
		return nil, protocolError("the server's handshake is wrong")
	case len(protocols) > 0 && resp.Header.Get("Sec-Websocket-Protocol") != protocols[0]:
		return nil, protocolError("the server chose no protocol that was offered")
	}
	early, _ = r.Peek(r.Buffered())
	return early, nil
}
