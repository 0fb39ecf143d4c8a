package mqtt

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// A feed gives TLS what has arrived on a socket, so that a connection waits for more without being within TLS, whose
// frames would hold four times the stack. Until poll it is the socket itself. Only the reader may read.
type feed struct {
	net.Conn
	raw    syscall.RawConn
	polled bool
	ready  func(fd uintptr) bool
	pooled *[]byte
	ahead  []byte // read from the socket, not taken by TLS yet
	err    error  // the end of the socket
}

// newFeed returns a feed of a socket; nil: it cannot be asked what has arrived.
func newFeed(nc net.Conn) *feed {
	s, ok := nc.(syscall.Conn)
	if !ok || !canPoll {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	f := &feed{Conn: nc, raw: raw}
	f.ready = f.readNow
	return f
}

// poll has Read no longer wait: what has not arrived is to be waited for by wait.
func (f *feed) poll() { f.polled = true }

// again is the error of a Read for which nothing has arrived. It is temporary, so that TLS goes on where it was.
type again struct{}

func (again) Error() string   { return "nothing has arrived" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// Read implements net.Conn.
func (f *feed) Read(b []byte) (int, error) {
	if !f.polled {
		return f.Conn.Read(b)
	}
	if len(f.ahead) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		return 0, again{}
	}
	n := copy(b, f.ahead)
	if f.ahead = f.ahead[n:]; len(f.ahead) == 0 {
		f.release()
	}
	return n, nil
}

// wait waits until something has arrived, or the socket ends, which Read then says.
func (f *feed) wait() error { return f.raw.Read(f.ready) }

var feedBuffers = sync.Pool{New: func() any { b := make([]byte, 4<<10); return &b }}

// readNow reads once, and reports false if nothing was there.
func (f *feed) readNow(fd uintptr) bool {
	f.pooled = feedBuffers.Get().(*[]byte)
	n, none, err := readSocket(fd, *f.pooled)
	if f.ahead, f.err = (*f.pooled)[:n], err; n == 0 {
		f.release()
	}
	return !none
}

func (f *feed) release() {
	if f.pooled != nil {
		feedBuffers.Put(f.pooled)
	}
	f.pooled, f.ahead = nil, nil
}

// fillFed is fill for connections that are fed.
func (c *conn) fillFed() error {
	for {
		c.grow()
		n, err := c.nc.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		switch {
		case n > 0:
			return nil
		case err == nil:
			return io.ErrNoProgress
		case err != again{}: //nolint:errorlint // TLS returns what it was given
			return err
		}
		c.releaseBuffer()
		if err := c.feed.wait(); err != nil {
			return err
		}
	}
}
