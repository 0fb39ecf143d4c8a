package live

import (
	"io"
	"net"
	"testing"
)

// inTurn returns an address whose connections go to targets in turn.
func inTurn(tb testing.TB, targets []string) string {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for n := 0; ; n++ {
			front, err := l.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("tcp", targets[n%len(targets)])
			if err != nil {
				_ = front.Close()
				continue
			}
			go pass(front, back)
			go pass(back, front)
		}
	}()
	return l.Addr().String()
}

// pass copies until from ends, and then ends both.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}
