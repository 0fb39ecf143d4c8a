// Package outbound makes HTTP clients for addresses that users name, such as those of push services. They reach no
// network that only the server can reach: neither this machine, nor private networks, unless an operator allows
// these. The check is on the address that is dialed, after the name was resolved, so that no name can change meanwhile.
// What an operator names is another matter: see Named.
package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrPrivate is the error of connections to addresses that are not allowed.
var ErrPrivate = errors.New("this is an address of a private network or of this machine, which the operator has not allowed")

const (
	dialTimeout = 5 * time.Second
	idleTimeout = 90 * time.Second
	maxIdle     = 64 // connections that are kept open
	maxHeader   = 64 << 10
)

// special are networks that are not for the public Internet and that netip.Addr tells nothing about. Of those with an
// IPv4 address inside, such as NAT64, nobody can know where they lead.
var special = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32",
	"2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// Public reports whether an address is one of the public Internet.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && a.Zone() == "" &&
		!slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// MayCall reports whether requests may be sent to u: by https, or, where the host is an address in allowed, by http.
func MayCall(u *url.URL, allowed []netip.Prefix) bool {
	if u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return false
	}
	a, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]"))
	return u.Scheme == "https" ||
		err == nil && slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// Client returns a client that reaches public addresses, except those of this machine, and the addresses in allowed.
// It follows no redirects, uses no proxy and keeps no cookies. timeout is for a whole request, and nothing else ends it
// after the connection is made.
func Client(allowed []netip.Prefix, timeout time.Duration) *http.Client {
	return client(dialer(allowed), timeout)
}

// Named returns a client for an address that the operator names, in whichever network it is. As Client it follows no
// redirects, uses no proxy and keeps no cookies.
func Named(timeout time.Duration) *http.Client {
	return client(&net.Dialer{Timeout: dialTimeout}, timeout)
}

func dialer(allowed []netip.Prefix) *net.Dialer {
	return &net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		return check(address, allowed)
	}}
}

func client(d *net.Dialer, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext: d.DialContext, TLSHandshakeTimeout: dialTimeout, IdleConnTimeout: idleTimeout,
			MaxIdleConns: maxIdle, MaxResponseHeaderBytes: maxHeader, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// check returns an error if nobody may dial an address.
func check(address string, allowed []netip.Prefix) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	a := to.Addr().Unmap()
	if slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return nil
	}
	if !Public(a) || own(a) {
		return fmt.Errorf("%s: %w", a, ErrPrivate)
	}
	return nil
}

// own reports whether an address is one of this machine.
func own(a netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(addrs, func(at net.Addr) bool {
		n, ok := at.(*net.IPNet)
		return ok && n.IP.Equal(a.AsSlice())
	})
}
