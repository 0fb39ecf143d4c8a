//go:build unix

package mqtt

import (
	"io"
	"syscall"
)

// On Unix the socket itself is asked, as in package gateway: a read takes a buffer only once
// there is something to read, and a write never waits.

// fill reads what has arrived into c.buf, and waits for that.
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

// writeOnce writes as much of b as the socket takes at once.
func (c *conn) writeOnce(b []byte) (n int, err error) {
	if c.raw == nil {
		return 0, nil
	}
	var failed error
	err = c.raw.Control(func(fd uintptr) {
		for {
			n, failed = syscall.Write(int(fd), b)
			if failed != syscall.EINTR {
				return
			}
		}
	})
	if failed == syscall.EAGAIN {
		failed = nil
	}
	if err == nil {
		err = failed
	}
	return max(n, 0), err
}
