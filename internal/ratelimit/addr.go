package ratelimit

import "net/netip"

// AddrKey is the key by which clients are limited: an IPv4 address, or the /64
// network of an IPv6 address, which is what one household has.
func AddrKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a.String()
	}
	p, _ := a.Prefix(64) // 64 is never out of range
	return p.String()
}
