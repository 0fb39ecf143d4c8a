package app

import (
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// A crowd bounds how many connections one address has open on a listener. Those of
// trusted proxies are of many people, and not counted; those that became WebSockets
// are counted by the gateway.
type crowd struct {
	proxies httpx.Proxies
	open    *ratelimit.AddrCounter

	mu      sync.Mutex
	counted map[net.Conn]netip.Addr
}

func newCrowd(most int, proxies httpx.Proxies) *crowd {
	return &crowd{proxies: proxies, open: ratelimit.NewAddrCounter(most), counted: make(map[net.Conn]netip.Addr)}
}

// follow is a server's ConnState. A connection that is one too many is closed.
func (k *crowd) follow(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		a, ok := c.RemoteAddr().(*net.TCPAddr)
		if !ok || k.proxies.Trust(a.AddrPort().Addr().Unmap().WithZone("")) {
			return
		}
		addr := a.AddrPort().Addr()
		if !k.open.Acquire(addr) {
			_ = c.Close()
			return
		}
		k.mu.Lock()
		k.counted[c] = addr
		k.mu.Unlock()
	case http.StateHijacked, http.StateClosed:
		k.mu.Lock()
		addr, ok := k.counted[c]
		delete(k.counted, c)
		k.mu.Unlock()
		if ok {
			k.open.Release(addr)
		}
	}
}
