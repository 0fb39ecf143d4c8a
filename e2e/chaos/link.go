// Package chaos runs three servers, a cluster of three NATS servers and a PostgreSQL as processes on
// the loopback. It injects faults into them and the links between them by a schedule that depends on
// a seed, and checks that what 64 clients observed keeps the rules of docs/consistency.md.
package chaos

import (
	"net"
	"sync"
	"time"
)

// A state is what a link does with data.
type state int

const (
	open    state = iota
	cut           // connections are reset, new ones refused
	stalled       // connections stay open, and nothing passes, as with a peer that has vanished
	slow          // data to the client is limited
)

const (
	slowBytes = 4 << 10 // a second
	chunk     = 16 << 10
)

// A Link is a TCP proxy whose connections can be cut, stalled and slowed down.
type Link struct {
	l net.Listener

	mu      sync.Mutex
	targets []string // tried in turn, beginning with next
	next    int
	state   state
	moved   chan struct{} // closed when the state changes
	conns   map[net.Conn]net.Conn
}

// NewLink opens a link on a free port of the loopback.
func NewLink(targets ...string) (*Link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &Link{l: l, targets: targets, moved: make(chan struct{}), conns: make(map[net.Conn]net.Conn)}
	go k.accept()
	return k, nil
}

// Addr returns the address of the link.
func (k *Link) Addr() string { return k.l.Addr().String() }

// Set changes the state.
func (k *Link) Set(s state) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state = s
	close(k.moved)
	k.moved = make(chan struct{})
	if s == cut {
		k.reset()
	}
}

// Move resets the connections. New ones go to another target.
func (k *Link) Move() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next++
	k.reset()
}

// reset resets all connections. The caller holds k.mu.
func (k *Link) reset() {
	for a, b := range k.conns {
		abort(a)
		abort(b)
	}
	clear(k.conns)
}

func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// Close closes the link and its connections.
func (k *Link) Close() {
	_ = k.l.Close()
	k.Set(cut)
}

func (k *Link) accept() {
	for {
		c, err := k.l.Accept()
		if err != nil {
			return
		}
		go k.pass(c)
	}
}

func (k *Link) pass(c net.Conn) {
	if !k.passes() {
		abort(c)
		return
	}
	t, ok := k.dial()
	if !ok {
		abort(c)
		return
	}
	k.mu.Lock()
	if k.state == cut {
		k.mu.Unlock()
		abort(c)
		abort(t)
		return
	}
	k.conns[c] = t
	k.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { k.pump(t, c, false) })
	both.Go(func() { k.pump(c, t, true) })
	both.Wait()
	k.mu.Lock()
	delete(k.conns, c)
	k.mu.Unlock()
	_ = c.Close()
	_ = t.Close()
}

// dial connects to the next target that answers, as a load balancer does.
func (k *Link) dial() (net.Conn, bool) {
	k.mu.Lock()
	first := k.next
	k.mu.Unlock()
	for i := range k.targets {
		c, err := net.DialTimeout("tcp", k.targets[(first+i)%len(k.targets)], 2*time.Second)
		if err == nil {
			return c, true
		}
	}
	return nil, false
}

// passes waits while the link is stalled, and reports whether it is not cut.
func (k *Link) passes() bool {
	for {
		k.mu.Lock()
		s, moved := k.state, k.moved
		k.mu.Unlock()
		if s != stalled {
			return s != cut
		}
		<-moved
	}
}

// pump copies one direction until it ends.
func (k *Link) pump(to, from net.Conn, down bool) {
	b := make([]byte, chunk)
	for {
		n, err := from.Read(b)
		if !k.passes() {
			return
		}
		if n > 0 && !k.write(to, b[:n], down) {
			_ = from.Close()
			return
		}
		if err != nil {
			if tcp, ok := to.(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
			}
			return
		}
	}
}

func (k *Link) write(to net.Conn, b []byte, down bool) bool {
	for len(b) > 0 {
		part := b
		if down && k.is(slow) {
			part = b[:min(len(b), slowBytes/4)]
			time.Sleep(time.Second / 4) // a slow line is the point
		}
		if _, err := to.Write(part); err != nil {
			return false
		}
		b = b[len(part):]
	}
	return true
}

func (k *Link) is(s state) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state == s
}
