package app

import (
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// A connLimiter bounds how many connections one address has open on a listener. Those of
// trusted proxies are of many people, and not counted; those that became WebSockets
// are counted by the gateway.
type connLimiter struct {
	proxies httpx.Proxies
	open    *ratelimit.AddrCounter

	mu      sync.Mutex
	counted map[net.Conn]netip.Addr
}

func newConnLimiter(limit int, proxies httpx.Proxies) *connLimiter {
	return &connLimiter{proxies: proxies, open: ratelimit.NewAddrCounter(limit), counted: make(map[net.Conn]netip.Addr)}
}

// track is a server's ConnState. A connection that is one too many is closed.
func (l *connLimiter) track(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		a, ok := c.RemoteAddr().(*net.TCPAddr)
		if !ok || l.proxies.Trust(a.AddrPort().Addr().Unmap().WithZone("")) {
			return
		}
		addr := a.AddrPort().Addr()
		if !l.open.Acquire(addr) {
			_ = c.Close()
			return
		}
		l.mu.Lock()
		l.counted[c] = addr
		l.mu.Unlock()
	case http.StateHijacked, http.StateClosed:
		l.mu.Lock()
		addr, ok := l.counted[c]
		delete(l.counted, c)
		l.mu.Unlock()
		if ok {
			l.open.Release(addr)
		}
	}
}
