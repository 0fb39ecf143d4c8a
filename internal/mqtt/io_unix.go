//go:build unix

package mqtt

import "github.com/unhidra/unhidra/internal/sock"

// On Unix the socket itself is asked, as in package gateway: a read takes a buffer only once
// there is something to read, and a write never waits.

// fill reads what has arrived into c.buf, and waits for that.
func (c *conn) fill() error {
	switch {
	case c.feed != nil && c.feed.polled:
		return c.fillFed()
	case c.raw == nil:
		return c.fillBlocking()
	}
	c.readErr = nil
	if err := c.raw.Read(c.readReady); err != nil {
		return err
	}
	return c.readErr
}

// canPoll says that sockets can be asked what has arrived.
const canPoll = true

func readSocket(fd uintptr, b []byte) (n int, again bool, err error) { return sock.Read(fd, b) }

// hungUp reports whether the client has closed the connection, and nothing is left to read of it.
func (c *conn) hungUp() (gone bool) {
	raw := c.raw
	if c.feed != nil {
		raw = c.feed.raw
	}
	if raw != nil {
		_ = raw.Control(func(fd uintptr) { gone = sock.Ended(fd) })
	}
	return gone
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

// writeOnce writes as much of b as the socket takes at once.
func (c *conn) writeOnce(b []byte) (n int, err error) {
	if c.raw == nil {
		return 0, nil
	}
	var failed error
	err = c.raw.Control(func(fd uintptr) { n, _, failed = sock.Write(fd, b) })
	if err == nil {
		err = failed
	}
	return n, err
}
