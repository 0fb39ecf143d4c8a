package ratelimit

import (
	"net/netip"
	"testing"
	"time"
)

func addr(n, host int) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 1, byte(n >> 8), byte(n), 15: byte(host)})
}

// One IPv6 network of 64 bits is one client; who hops from one to the next of a /48
// gets 16 times as much, and not 65,536 times.
func TestWideNetworksAreLimited(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	l := New(10, time.Minute, 10)
	allowed := 0
	for n := range 1000 {
		for host := range 20 {
			if ok, _ := l.AllowAddr(addr(n, host), now); ok {
				allowed++
			}
		}
	}
	if allowed != 160 {
		t.Errorf("a /48 was allowed %d of 20,000 events at once, want 160", allowed)
	}
	if ok, _ := l.AllowAddr(netip.MustParseAddr("2001:db8:2::1"), now); !ok {
		t.Error("another /48 was refused")
	}
	for i := range 300 { // IPv4 has no wider network that belongs to one client
		if ok, _ := l.AllowAddr(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), now); !ok {
			t.Fatal("an IPv4 address was refused for others'")
		}
	}
}

// What is refused for the neighbours' sake is not counted against the address as well.
func TestRefusalByNetworkConsumesNothing(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	l := New(10, time.Minute, 10)
	for n := range 160 { // all that the /48 may do
		l.AllowAddr(addr(1+n, 0), now)
	}
	mine := addr(0, 0)
	for range 10 {
		if ok, _ := l.AllowAddr(mine, now); ok {
			t.Fatal("the /48 was allowed more than 160 events at once")
		}
	}
	later := now.Add(6 * time.Second) // the /48 may do 16 more
	for i := range 10 {
		if ok, _ := l.AllowAddr(mine, later); !ok {
			t.Fatalf("an address that did nothing yet was refused at %d", i)
		}
	}
}

func TestAddrCounter(t *testing.T) {
	t.Parallel()
	tally := NewAddrCounter(2)
	four := netip.MustParseAddr("192.0.2.1")
	if !tally.Acquire(four) || !tally.Acquire(netip.MustParseAddr("::ffff:192.0.2.1")) || tally.Acquire(four) {
		t.Error("an IPv4 address has not two places, however it is written")
	}
	if !tally.Acquire(netip.MustParseAddr("192.0.2.2")) {
		t.Error("another address was refused")
	}
	tally.Release(four)
	if !tally.Acquire(four) {
		t.Error("a place that was given back is not there")
	}
	taken := 0
	for n := range 100 {
		for host := range 3 {
			if tally.Acquire(addr(n, host)) {
				taken++
				defer tally.Release(addr(n, host))
			}
		}
	}
	if taken != 32 {
		t.Errorf("a /48 took %d places, want 32", taken)
	}
	if !NewAddrCounter(0).Acquire(four) {
		t.Error("a limit of 0 refuses")
	}
}
