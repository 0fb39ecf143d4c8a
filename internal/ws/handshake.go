package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// AcceptKey returns the answer to the key of a client's handshake.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Handshake is what is wrong with an upgrade request, as an HTTP status and a
// sentence.
type Handshake struct {
	Status int
	Reason string
}

func (h *Handshake) Error() string { return h.Reason }

// CheckUpgrade says whether r asks for a WebSocket as RFC 6455 wants it.
func CheckUpgrade(r *http.Request) error {
	switch {
	case r.Method != http.MethodGet:
		return &Handshake{http.StatusMethodNotAllowed, "a WebSocket begins with GET"}
	case !r.ProtoAtLeast(1, 1) || r.ProtoMajor != 1:
		return &Handshake{http.StatusUpgradeRequired, "a WebSocket begins with HTTP/1.1"}
	case !hasToken(r.Header, "Upgrade", "websocket") || !hasToken(r.Header, "Connection", "upgrade"):
		return &Handshake{http.StatusUpgradeRequired, "this address speaks WebSocket; ask for an upgrade"}
	case r.Header.Get("Sec-Websocket-Version") != "13":
		return &Handshake{http.StatusUpgradeRequired, "this server speaks version 13 of the WebSocket protocol"}
	case r.ContentLength != 0: // its bytes would be read as frames
		return &Handshake{http.StatusBadRequest, "a WebSocket's handshake has no body"}
	}
	keys := r.Header.Values("Sec-Websocket-Key")
	if len(keys) != 1 {
		return &Handshake{http.StatusBadRequest, "Sec-WebSocket-Key is missing, or there are several"}
	}
	if b, err := base64.StdEncoding.DecodeString(keys[0]); err != nil || len(b) != 16 {
		return &Handshake{http.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64"}
	}
	return nil
}

// Protocols returns the subprotocols that r offers, in order.
func Protocols(r *http.Request) []string {
	var ps []string
	for _, line := range r.Header.Values("Sec-Websocket-Protocol") {
		for p := range strings.SplitSeq(line, ",") {
			if p = strings.TrimSpace(p); p != "" {
				ps = append(ps, p)
			}
		}
	}
	return ps
}

// AppendUpgrade appends the response that completes the handshake of a request
// that CheckUpgrade passed. An empty protocol names none.
func AppendUpgrade(b []byte, r *http.Request, protocol string) []byte {
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "...)
	b = append(b, AcceptKey(r.Header.Get("Sec-Websocket-Key"))...)
	if protocol != "" {
		b = append(b, "\r\nSec-WebSocket-Protocol: "...)
		b = append(b, protocol...)
	}
	return append(b, "\r\n\r\n"...)
}

// ErrGone is the error of Accept when the client does not take the answer to its handshake.
var ErrGone = errors.New("websocket: the client is gone")

// Accept takes the connection of a request that CheckUpgrade passed over from the HTTP server, and completes the
// handshake, which the client must take within a time. What it has sent beyond that is in early. The connection has no
// deadline. Unless the error is ErrGone, the request can still be answered.
func Accept(
	w http.ResponseWriter, r *http.Request, protocol string, within time.Duration,
) (nc net.Conn, early []byte, err error) {
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("websocket: cannot take over the connection: %w", err)
	}
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ = rw.Reader.Peek(n)
		early = slices.Clone(early)
	}
	_ = nc.SetDeadline(time.Now().Add(within))
	if _, err := nc.Write(AppendUpgrade(nil, r, protocol)); err != nil {
		_ = nc.Close()
		return nil, nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	_ = nc.SetDeadline(time.Time{})
	return nc, early, nil
}

func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
