// Package proxyproto reads the PROXY protocol, versions 1 and 2, by which a load
// balancer that only forwards bytes says who the client is. It believes trusted
// networks alone; and it takes not one byte more than the header, so that the
// connection behind it is as good as the bare one.
package proxyproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options say whom to believe.
type Options struct {
	Trusted []netip.Prefix // who must send a header; nobody else's is looked at
	Log     *slog.Logger
	Wait    time.Duration // for a header; 0: 5 s
}

// Listen returns l with the addresses of clients that trusted peers tell. It
// takes l over.
func Listen(l net.Listener, o Options) net.Listener {
	if o.Wait == 0 {
		o.Wait = 5 * time.Second
	}
	p := &listener{Listener: l, Options: o, conns: make(chan net.Conn), done: make(chan struct{})}
	go p.accept()
	return p
}

type listener struct {
	net.Listener
	Options
	conns chan net.Conn
	done  chan struct{} // closed at the end
	once  sync.Once
	err   error // why, readable then
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, l.err
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	err := l.Listener.Close()
	l.end(net.ErrClosed)
	return err
}

func (l *listener) end(err error) {
	l.once.Do(func() { l.err = err; close(l.done) })
}

// accept lets no connection wait for the header of another.
func (l *listener) accept() {
	for {
		c, err := l.Listener.Accept()
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() || errors.Is(err, syscall.EMFILE) ||
			errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED) {
			select { // as net/http does it: the trouble passes
			case <-time.After(20 * time.Millisecond):
				continue
			case <-l.done:
				return
			}
		}
		if err != nil {
			l.end(err)
			return
		}
		go l.greet(c)
	}
}

func (l *listener) greet(c net.Conn) {
	if l.trusts(c.RemoteAddr()) {
		_ = c.SetReadDeadline(time.Now().Add(l.Wait))
		client, err := read(c)
		if err != nil {
			l.Log.Warn("a trusted proxy did not say who the client is; turn the PROXY protocol on there, or "+
				"UNHIDRA_PROXY_PROTOCOL off here",
				"proxy", c.RemoteAddr().String(), "err", err)
			_ = c.Close()
			return
		}
		_ = c.SetReadDeadline(time.Time{})
		if client.IsValid() {
			c = &conn{c, net.TCPAddrFromAddrPort(client)}
		}
	}
	select {
	case l.conns <- c:
	case <-l.done:
		_ = c.Close()
	}
}

func (l *listener) trusts(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return false
	}
	addr := t.AddrPort().Addr().Unmap().WithZone("")
	for _, p := range l.Trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// A conn is a connection of another client than its peer.
type conn struct {
	net.Conn
	client net.Addr
}

// RemoteAddr returns the client's address.
func (c *conn) RemoteAddr() net.Addr { return c.client }

// SyscallConn lets the gateway use the socket itself.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	s, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return s.SyscallConn()
}

const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	maxLine   = 107  // of version 1, by its specification
	maxBody   = 4096 // of version 2: addresses and what proxies like to add
)

var errNoHeader = errors.New("the connection does not begin with a PROXY header")

// read reads a header, and returns the client's address, or none if the proxy
// speaks for itself.
func read(r io.Reader) (netip.AddrPort, error) {
	var b [maxLine]byte
	if _, err := io.ReadFull(r, b[:len(signature)]); err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", errNoHeader, err)
	}
	switch {
	case string(b[:len(signature)]) == signature:
		return binaryHeader(r)
	case string(b[:6]) == "PROXY ":
		return line(r, b[:len(signature)])
	}
	return netip.AddrPort{}, errNoHeader
}

// line reads the rest of version 1, byte by byte: what follows is not ours.
func line(r io.Reader, b []byte) (netip.AddrPort, error) {
	for !strings.HasSuffix(string(b), "\r\n") {
		if len(b) == cap(b) {
			return netip.AddrPort{}, errors.New("the PROXY line is too long")
		}
		b = b[:len(b)+1]
		if _, err := io.ReadFull(r, b[len(b)-1:]); err != nil {
			return netip.AddrPort{}, err
		}
	}
	f := strings.Split(strings.TrimSuffix(string(b), "\r\n"), " ")
	if f[1] == "UNKNOWN" {
		return netip.AddrPort{}, nil
	}
	if len(f) != 6 || (f[1] != "TCP4" && f[1] != "TCP6") {
		return netip.AddrPort{}, errors.New("the PROXY line is malformed")
	}
	a, err := netip.ParseAddr(f[2])
	if err != nil || a.Is4() != (f[1] == "TCP4") || a.Zone() != "" {
		return netip.AddrPort{}, errors.New("the PROXY line has a malformed address")
	}
	var port uint16
	if _, err := fmt.Sscanf(f[4], "%d", &port); err != nil {
		return netip.AddrPort{}, errors.New("the PROXY line has a malformed port")
	}
	return netip.AddrPortFrom(a, port), nil
}

// binaryHeader reads the rest of version 2.
func binaryHeader(r io.Reader) (netip.AddrPort, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return netip.AddrPort{}, err
	}
	n := int(binary.BigEndian.Uint16(head[2:]))
	if head[0]>>4 != 2 || n > maxBody {
		return netip.AddrPort{}, errors.New("the PROXY header is of another version, or too long")
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return netip.AddrPort{}, err
	}
	switch command := head[0] & 0xf; {
	case command == 0: // LOCAL: the proxy itself, to see whether we are well
		return netip.AddrPort{}, nil
	case command != 1:
		return netip.AddrPort{}, errors.New("the PROXY header has an unknown command")
	case head[1] == 0x11 && n >= 12:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(body[:4])), binary.BigEndian.Uint16(body[8:])), nil
	case head[1] == 0x21 && n >= 36:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(body[:16])).Unmap(), binary.BigEndian.Uint16(body[32:])), nil
	case head[1]>>4 == 1 || head[1]>>4 == 2:
		return netip.AddrPort{}, errors.New("the PROXY header has no TCP addresses")
	}
	return netip.AddrPort{}, nil // of a family that has no address for us
}
