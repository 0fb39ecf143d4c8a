//go:build unix

package gateway

import (
	"io"
	"syscall"
)

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
	for {
		n, err := syscall.Read(int(fd), c.buf[len(c.buf):cap(c.buf)])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			c.releaseBuffer()
			return false
		case err != nil:
			c.readErr = err
		case n == 0:
			c.readErr = io.EOF
		default:
			c.buf = c.buf[:len(c.buf)+n]
		}
		return true
	}
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
	if w.err == syscall.EAGAIN {
		return 0, true, nil
	}
	n = max(w.n, 0)
	return n, w.err == nil && n < len(b), w.err
}

// writeNow writes once.
func (w *writer) writeNow(fd uintptr) {
	for {
		w.n, w.err = syscall.Write(int(fd), w.b)
		if w.err != syscall.EINTR {
			return
		}
	}
}
