package httpx

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const maxHops = 20

// Proxies are the networks whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// ClientAddr returns the address that r came from. Without a trusted peer it
// is the peer's, whatever the header fields say. Behind trusted proxies it is
// the first address that is not one of them, read from right to left, because
// only what the own proxies have added can be believed.
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

// HTTPS reports whether the client speaks TLS, to this server or to a trusted
// proxy before it.
func (ps Proxies) HTTPS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	return ps.Trust(peer(r)) && askedBy(r) == "https"
}

// askedBy returns the scheme that the client used by what X-Forwarded-Proto says: of
// several proxies, each of which may add its own, the first one saw the client. Some
// say ws and wss of a WebSocket. A client that sets it itself deceives only itself.
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

// IsLoopback reports whether r comes from this very machine, and not by way of a
// proxy on it that was asked in the clear.
func IsLoopback(r *http.Request) bool {
	return peer(r).IsLoopback() && askedBy(r) != "http"
}

// Trust reports whether addr is a proxy of ours.
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
