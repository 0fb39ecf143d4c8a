package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/ws"
)

// Serve takes connections from l until ctx ends; with secure they are encrypted. It returns
// once l is closed; the connections end with Run.
func (s *Service) Serve(ctx context.Context, l net.Listener, secure *tls.Config) error {
	transport := "tcp"
	if secure != nil {
		secure = secure.Clone()
		secure.NextProtos = []string{"mqtt"}
		transport = "tls"
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	life := context.WithoutCancel(ctx)
	for wait := time.Duration(0); ; {
		nc, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return ctx.Err()
			}
			wait = min(max(2*wait, 5*time.Millisecond), time.Second) // out of files, perhaps
			time.Sleep(wait)
			continue
		}
		wait = 0
		go func() {
			addr := addrOf(nc.RemoteAddr()) // waits for it behind a proxy
			var fed *feed
			if secure != nil {
				if fed = newFeed(nc); fed != nil {
					nc = fed
				}
				nc = tls.Server(nc, secure)
			}
			s.take(life, nc, fed, addr, transport)
		}()
	}
}

func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// ServeHTTP is GET /mqtt: MQTT over WebSocket (MQTT 5 section 6).
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := ws.CheckUpgrade(r); err != nil {
		var h *ws.Handshake
		if errors.As(err, &h) {
			http.Error(w, h.Reason, h.Status)
		}
		return
	}
	protocol := "mqtt"
	offered := ws.Protocols(r)
	if !slices.Contains(offered, protocol) {
		if protocol = "mqttv3.1"; !slices.Contains(offered, protocol) {
			httpx.Fail(w, r, domain.Invalid.Errorf(domain.CodeHandshake, `offer the subprotocol "mqtt"`))
			return
		}
	}
	nc, early, err := ws.Accept(w, r, protocol, connectTime)
	if errors.Is(err, ws.ErrGone) {
		return
	}
	if err != nil {
		httpx.Fail(w, r, domain.Internal.Errorf("", "cannot take over the connection").Because(err))
		return
	}
	_ = nc.SetDeadline(time.Now().Add(connectTime))
	c := &webSocket{Conn: nc, parser: ws.Parser{Max: maxFrame}, buf: early}
	go s.take(context.WithoutCancel(r.Context()), c, nil, s.ClientAddr(r), "websocket")
}

const (
	maxFrame  = 2 * maxPacket // bytes of a WebSocket message, which may have several packets
	readChunk = 4 << 10
)

// webSocket is a stream of bytes in the binary messages of a WebSocket. Packets may straddle them.
type webSocket struct {
	net.Conn
	parser ws.Parser
	buf    []byte // read from the socket, not parsed yet
	in     []byte // parsed, not given out yet
	need   int
	mu     sync.Mutex // of writes
}

// Read implements net.Conn.
func (c *webSocket) Read(b []byte) (int, error) {
	for len(c.in) == 0 {
		if err := c.parse(); err != nil {
			return 0, err
		}
		if len(c.in) > 0 {
			break
		}
		if len(c.buf) == 0 {
			c.buf = nil
		}
		start := len(c.buf)
		c.buf = slices.Grow(c.buf, max(readChunk, c.need-start))
		n, err := c.Conn.Read(c.buf[start:cap(c.buf)])
		c.buf = c.buf[:start+n]
		if n == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(b, c.in)
	if c.in = c.in[n:]; len(c.in) == 0 {
		c.in = nil
	}
	return n, nil
}

// parse takes one message out of buf.
func (c *webSocket) parse() error {
	for len(c.buf) > 0 {
		m, n, need, err := c.parser.Next(c.buf)
		if err != nil {
			return fmt.Errorf("read a WebSocket: %w", err)
		}
		if n == 0 {
			c.need = need
			return nil
		}
		payload := m.Payload
		c.buf = c.buf[n:]
		switch m.Op {
		case ws.Binary:
			c.in = slices.Clone(payload)
			if len(c.in) > 0 {
				return nil
			}
		case ws.Ping:
			if err := c.write(ws.Pong, payload); err != nil {
				return err
			}
		case ws.Close:
			_ = c.write(ws.Close, ws.ClosePayload(ws.CodeNormal, ""))
			return io.EOF
		case ws.Text:
			_ = c.write(ws.Close, ws.ClosePayload(ws.CodeBadType, "MQTT is binary"))
			return io.EOF
		}
	}
	return nil
}

// Write implements net.Conn: b becomes one message.
func (c *webSocket) Write(b []byte) (int, error) {
	if err := c.write(ws.Binary, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *webSocket) write(op ws.Opcode, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.Conn.Write(ws.AppendFrame(nil, op, payload))
	return err
}
