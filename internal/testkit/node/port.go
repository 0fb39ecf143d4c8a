package node

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Ports are taken from below those that systems give to outgoing connections, so
// that a port is still free when a server that was killed comes back to it.
const lowest, beyond = 12000, 32000

var given struct {
	sync.Mutex
	ports map[int]bool
}

// Port finds a free port of the loopback, and gives it to nobody else in this
// process.
func Port(tb testing.TB) int {
	tb.Helper()
	given.Lock()
	defer given.Unlock()
	for range 1000 {
		port := lowest + rand.IntN(beyond-lowest)
		if given.ports[port] {
			continue
		}
		l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", loopback(port))
		if err != nil {
			continue
		}
		_ = l.Close()
		if given.ports == nil {
			given.ports = make(map[int]bool)
		}
		given.ports[port] = true
		return port
	}
	tb.Fatal("no port is free")
	return 0
}
