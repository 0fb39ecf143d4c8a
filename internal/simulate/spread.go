package simulate

import (
	"context"
	"net"
	"runtime"
)

// Spread returns how a fleet on the server's own machine connects: on Linux, each device from an address
// of the loopback of its own, as devices in different places do. Limits of a server for one address
// then count for each device apart. To other servers it is net.Dialer.
func Spread() DialFunc {
	return func(ctx context.Context, number int, address string) (net.Conn, error) {
		var d net.Dialer
		host, _, _ := net.SplitHostPort(address)
		if ip := net.ParseIP(host); runtime.GOOS == "linux" && ip.To4() != nil && ip.IsLoopback() {
			d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 1+byte(number>>16&0x3f), byte(number>>8), byte(number))}
		}
		return d.DialContext(ctx, "tcp", address)
	}
}
