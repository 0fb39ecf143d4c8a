//go:build unix

package gateway

import "github.com/unhidra/unhidra/internal/sock"

// On Unix the gateway asks the socket itself: a read takes a buffer only once
// there is something to read, and a write never waits.

// fill reads what has arrived into c.buf, which it takes when there is
// something, and waits for that.
func (c *conn) fill() error {
	if c.raw == nil {
		return c.fillBlocking()
	}
	c.readErr = nil
	if err := c.raw.Read(c.readReady); err != nil {
		return err
	}
	return c.readErr
}

// readNow reads once, and reports false if there was nothing to read.
func (c *conn) readNow(fd uintptr) bool {
	c.grow()
	n, again, err := sock.Read(fd, c.buf[len(c.buf):cap(c.buf)])
	if again {
		c.releaseBuffer()
		return false
	}
	c.buf, c.readErr = c.buf[:len(c.buf)+n], err
	return true
}

// tryWrite writes as much of b as the socket takes at once. With again it did
// not take all of it.
func (c *conn) tryWrite(w *writer, b []byte) (n int, again bool, err error) {
	if c.raw == nil {
		return 0, true, nil
	}
	w.b = b
	// Not its Write, which gets ready to wait and keeps others out: a queue has one
	// flusher, and none waits here.
	if err := c.raw.Control(w.ready); err != nil {
		return 0, false, err
	}
	return w.n, w.again, w.err
}

// writeNow writes once.
func (w *writer) writeNow(fd uintptr) { w.n, w.again, w.err = sock.Write(fd, w.b) }
