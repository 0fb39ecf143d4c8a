package ws

import (
	"context"
	"net"
	"testing"
)

// TestDialGivesUpInTheMiddle: the context ends while the handshake fails by itself.
// With the race detector, what runs beside the return shows at once.
func TestDialGivesUpInTheMiddle(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cancels := make(chan context.CancelFunc, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			cancel := <-cancels
			go cancel()
			_ = c.Close()
		}
	}()
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		cancels <- cancel
		if _, _, err := Dial(ctx, "ws://"+l.Addr().String(), nil, nil, nil); err == nil {
			t.Fatal("connected to nobody")
		}
		cancel()
	}
}
