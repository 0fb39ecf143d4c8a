package httpx

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const maxHops = 20

// Proxies are the networks of trusted proxies, whose X-Forwarded-For is used.
type Proxies []netip.Prefix

// ClientAddr returns the address of the client that sent r. If the peer is not a trusted proxy, it
// is the peer's address, whatever the headers say. Otherwise it is the last address in
// X-Forwarded-For that is not a trusted proxy, because only what trusted proxies append can be
// believed.
func (ps Proxies) ClientAddr(r *http.Request) netip.Addr {
	addr := peer(r)
	if !ps.Trust(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && len(hops)-i <= maxHops; i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			return addr
		}
		addr = hop
		if !ps.Trust(addr) {
			return addr
		}
	}
	return addr
}

// HTTPS reports whether the client uses TLS, to this server or to a trusted proxy in front of it.
func (ps Proxies) HTTPS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	return ps.Trust(peer(r)) && askedBy(r) == "https"
}

// askedBy returns the client's scheme by X-Forwarded-Proto. If several proxies have added a value,
// the first is the client's. Some proxies write ws and wss for WebSockets. A client that sets the
// header deceives only itself.
func askedBy(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	switch first = strings.ToLower(strings.TrimSpace(first)); first {
	case "wss":
		return "https"
	case "ws":
		return "http"
	}
	return first
}

// IsLoopback reports whether r comes from this machine, and not from a proxy on it whose client
// uses plain HTTP.
func IsLoopback(r *http.Request) bool {
	return peer(r).IsLoopback() && askedBy(r) != "http"
}

// Trust reports whether addr is a trusted proxy.
func (ps Proxies) Trust(addr netip.Addr) bool {
	for _, p := range ps {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return clean(ap.Addr()), true
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return clean(addr), err == nil
}

func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(host)
	return clean(addr)
}

func clean(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }
