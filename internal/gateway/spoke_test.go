package gateway

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/ws"
)

// A pong comes from a library, whose program may have stopped long ago.
func TestWhatALibrarySendsByItselfIsNotHeardOfADevice(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	c := &conn{g: &Service{Deps: Deps{Now: func() time.Time { return now }}}, device: &ofDevice{}}
	c.closing.Store(true) // so that frames are not answered
	c.handle(ws.Message{Op: ws.Pong})
	if c.device.spoke.Load() != 0 {
		t.Errorf("after a pong, it spoke at %v", c.device.lastSpoke())
	}
	c.handle(ws.Message{Op: ws.Text})
	if !c.device.lastSpoke().Equal(now) {
		t.Errorf("after a frame, it spoke at %v", c.device.lastSpoke())
	}
}
