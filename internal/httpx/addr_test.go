package httpx

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// What proxies of the field write of a request that came by TLS is believed of them,
// from an address that is not this machine's, and of nobody else.
func TestProxiesSayHTTPS(t *testing.T) {
	t.Parallel()
	ps := Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		peer, proto string
		want        bool
	}{
		{"10.1.2.3:4", "https", true},
		{"10.1.2.3:4", "HTTPS", true},
		{"10.1.2.3:4", "wss", true},         // Traefik, of a WebSocket
		{"10.1.2.3:4", "https, http", true}, // a balancer with TLS before a proxy without
		{"10.1.2.3:4", "https,https", true}, // both with TLS
		{"10.1.2.3:4", "wss,https", true},
		{"10.1.2.3:4", "http", false},
		{"10.1.2.3:4", "ws", false},
		{"10.1.2.3:4", "http, https", false}, // the client's own part was in the clear
		{"10.1.2.3:4", "", false},
		{"192.0.2.1:4", "https", false},
		{"192.0.2.1:4", "wss", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/ws", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Forwarded-Proto", c.proto)
		if got := ps.HTTPS(r); got != c.want {
			t.Errorf("%s says %q: %v, want %v", c.peer, c.proto, got, c.want)
		}
	}
	for proto, want := range map[string]bool{"": true, "https": true, "http": false, "ws": false, "http, https": false} {
		r := httptest.NewRequest(http.MethodGet, "/ws", nil)
		r.RemoteAddr = "127.0.0.1:4"
		r.Header.Set("X-Forwarded-Proto", proto)
		if got := IsLoopback(r); got != want {
			t.Errorf("a proxy on this machine says %q: %v, want %v", proto, got, want)
		}
	}
}
