package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/unhidra/unhidra/internal/ws"
)

// A socket is the client's end of a WebSocket, as cheap as it can be made: frames
// go out under a mask of zeros, and what comes in is looked through, not decoded.
type socket struct {
	nc  net.Conn
	buf []byte
	p   ws.Parser
	mu  sync.Mutex // of writing
}

// dialer gives each client an address of its own on the loopback, so that no
// limit of ports is met.
func dialer(client int) *net.Dialer {
	return &net.Dialer{
		Timeout:   10 * time.Second,
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(client>>8), byte(client))},
		Control: func(_, _ string, c syscall.RawConn) error {
			const bindAddressNoPort = 24 // IP_BIND_ADDRESS_NO_PORT
			var failed error
			err := c.Control(func(fd uintptr) {
				failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, bindAddressNoPort, 1)
			})
			return errors.Join(err, failed)
		},
	}
}

// refused is an answer that is no upgrade.
type refused struct {
	status int
	after  string
}

func (r *refused) Error() string { return fmt.Sprint("the server answered ", r.status) }

var loopbackTLS = &tls.Config{InsecureSkipVerify: true} // the certificate was made a moment ago, for this

// open connects a client to one of t's addresses.
func open(ctx context.Context, t *target, client int) (*socket, error) {
	addr := t.addrs[client%len(t.addrs)]
	nc, err := dialer(client).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if t.tls {
		nc = tls.Client(nc, loopbackTLS)
	}
	s := &socket{nc: nc, p: ws.Parser{Client: true, Max: 1 << 20}}
	if err := s.upgrade(addr, t.protocol.path(), t.protocol.header(client)); err != nil {
		nc.Close()
		return nil, err
	}
	return s, nil
}

func (s *socket) upgrade(host, path, header string) error {
	_ = s.nc.SetDeadline(time.Now().Add(30 * time.Second))
	_, err := fmt.Fprintf(s.nc, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", path, host, header)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(s.nc, 1<<10)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return &refused{res.StatusCode, res.Header.Get("Retry-After")}
	}
	early, _ := r.Peek(r.Buffered())
	s.buf = append(s.buf, early...)
	return s.nc.SetDeadline(time.Time{})
}

var zeroMask [4]byte

func (s *socket) send(op ws.Opcode, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.nc.Write(ws.AppendMasked(nil, op, payload, zeroMask))
	return err
}

// read gives each text to take until the connection ends or take says so.
// Each reader has a buffer of its own that it keeps.
func (s *socket) read(take func(text []byte) (more bool)) error {
	full := 0
	if cap(s.buf) < 4<<10 {
		s.buf = append(make([]byte, 0, 4<<10), s.buf...)
	}
	for {
		b := s.buf
		for len(b) > 0 {
			m, n, need, err := s.p.Next(b)
			if err != nil {
				return err
			}
			if n == 0 {
				full = need
				break
			}
			b = b[n:]
			switch m.Op {
			case ws.Ping:
				if err := s.send(ws.Pong, m.Payload); err != nil {
					return err
				}
			case ws.Close:
				return fmt.Errorf("closed by the server: %q", m.Payload)
			case ws.Text:
				if !take(m.Payload) {
					s.buf = s.buf[:copy(s.buf, b)]
					return nil
				}
			}
		}
		s.buf = s.buf[:copy(s.buf, b)]
		if full > cap(s.buf) {
			s.buf = append(make([]byte, 0, full), s.buf...)
		}
		n, err := s.nc.Read(s.buf[len(s.buf):cap(s.buf)])
		if s.buf = s.buf[:len(s.buf)+n]; n == 0 && err != nil {
			return err
		}
	}
}

// clients is so many clients that have joined their rooms.
type clients struct {
	t       *target
	sockets []*socket
	lost    atomic.Int64 // connections that ended
	closing atomic.Bool
}

const dialers = 32

// gather connects n clients and waits until each has joined. What a client gets after
// that goes to heard.
func gather(ctx context.Context, t *target, n int, heard func(client int, text []byte)) (*clients, error) {
	c := &clients{t: t, sockets: make([]*socket, n)}
	var wg sync.WaitGroup
	var next atomic.Int64
	failed := make(chan error, dialers)
	for range dialers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := c.join(ctx, i); err != nil {
					failed <- fmt.Errorf("client %d: %w", i, err)
					return
				}
				go c.listen(i, heard) // at once: the server pings
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		c.close()
		return nil, err
	default:
	}
	return c, nil
}

func (c *clients) listen(client int, heard func(client int, text []byte)) {
	s := c.sockets[client]
	err := s.read(func(text []byte) bool {
		if answer := c.t.protocol.answer(text); answer != nil {
			return s.send(ws.Text, answer) == nil
		}
		heard(client, text)
		return true
	})
	if !c.closing.Load() {
		c.lost.Add(1)
		complain("client %d: %v", client, err)
	}
}

func (c *clients) join(ctx context.Context, client int) error {
	s, err := open(ctx, c.t, client)
	if err != nil {
		return err
	}
	c.sockets[client] = s
	for _, frame := range c.t.protocol.opening(client) {
		if err := s.send(ws.Text, frame); err != nil {
			return err
		}
	}
	_ = s.nc.SetReadDeadline(time.Now().Add(30 * time.Second))
	joined := errors.New("no word of having joined")
	if err := s.read(func(text []byte) bool {
		if strings.Contains(string(text), c.t.protocol.joined()) {
			joined = nil
		}
		return joined != nil
	}); err != nil {
		return err
	}
	_ = s.nc.SetReadDeadline(time.Time{})
	return joined
}

func (c *clients) close() {
	c.closing.Store(true)
	for _, s := range c.sockets {
		if s != nil {
			s.nc.Close()
		}
	}
}
