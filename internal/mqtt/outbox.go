package mqtt

import (
	"errors"
	"net"
	"sync"
	"time"
)

const (
	writeTime = 10 * time.Second // for a step of a blocked write
	writeStep = 32 << 10         // bytes that the other side must take in that time
)

// outbox holds the bytes that wait for one socket. It is empty nearly always: what is sent is
// written at once, and only what the socket does not take is kept, and written by a goroutine
// that ends when nothing is left.
type outbox struct {
	mu      sync.Mutex
	pending []byte // not written yet
	corked  bool   // the reader has more to say in a moment
	writing bool   // a goroutine waits for the socket
	ending  bool   // nothing more is taken; the socket is closed when pending is written
	broken  bool
	drained chan struct{} // closed when pending is empty, for who waits for that; nil: nobody
}

// send queues packets that may not be lost. A connection that lets too much of them wait is ended.
func (c *conn) send(b []byte) { c.sendWithin(b, 4*c.s.Limits.Queue, true) }

// offer queues a message of QoS 0. It reports false if too much waits already, and the message
// is dropped.
func (c *conn) offer(b []byte) bool { return c.sendWithin(b, c.s.Limits.Queue, false) }

func (c *conn) sendWithin(b []byte, limit int, needed bool) bool {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.ending || o.broken:
		return false
	case len(o.pending)+len(b) > limit:
		if needed {
			c.fail(errSlow)
		}
		return false
	case len(o.pending) == 0 && !o.corked:
		n, err := c.writeOnce(b)
		if err != nil {
			c.fail(err)
			return false
		}
		if b = b[n:]; len(b) == 0 {
			return true
		}
	}
	o.pending = append(o.pending, b...)
	c.startWriting()
	return true
}

var errSlow = errors.New("too much waits for a slow reader")

// startWriting has pending written, if nobody does. It is called with the lock.
func (c *conn) startWriting() {
	if o := &c.out; len(o.pending) > 0 && !o.corked && !o.writing {
		o.writing = true
		go c.writeSlowly()
	}
}

// cork gathers what is sent until uncork.
func (c *conn) cork() {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.corked = true
}

func (c *conn) uncork() {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.corked = false
	if len(o.pending) == 0 || o.writing || o.broken {
		return
	}
	n, err := c.writeOnce(o.pending)
	if err != nil {
		c.fail(err)
		return
	}
	o.took(n)
	c.startWriting()
}

// took removes what was written. An empty outbox keeps no memory.
func (o *outbox) took(n int) {
	if n < len(o.pending) {
		o.pending = o.pending[n:]
		return
	}
	o.pending = nil
	if o.drained != nil {
		close(o.drained)
		o.drained = nil
	}
}

// writeSlowly writes pending to a socket that does not take it as fast as it comes. It waits for
// it, but not for long.
func (c *conn) writeSlowly() {
	o := &c.out
	for {
		o.mu.Lock()
		if len(o.pending) == 0 || o.broken {
			o.writing = false
			if o.ending {
				_ = c.nc.Close()
			}
			o.mu.Unlock()
			return
		}
		b, limit := o.pending[:min(len(o.pending), writeStep)], writeTime
		if o.ending {
			limit = closeTime
		}
		o.mu.Unlock()
		_ = c.nc.SetWriteDeadline(time.Now().Add(limit))
		n, err := c.nc.Write(b)
		o.mu.Lock()
		if err != nil {
			c.fail(err)
		} else {
			o.took(n)
		}
		o.mu.Unlock()
	}
}

// fail ends a connection that cannot be written to. It is called with the lock.
func (c *conn) fail(err error) {
	c.out.broken = true
	c.out.took(len(c.out.pending))
	var timeout net.Error
	if errors.Is(err, errSlow) || errors.As(err, &timeout) && timeout.Timeout() {
		c.setReason("slow")
	} else {
		c.setReason("lost")
	}
	_ = c.nc.Close() // wakes the reader
}

// end sends the last bytes, after which the socket is closed.
func (c *conn) end(last []byte) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending || o.broken {
		return
	}
	o.ending, o.corked = true, false
	o.pending = append(o.pending, last...)
	if len(o.pending) > 0 && !o.writing {
		if n, err := c.writeOnce(o.pending); err == nil {
			o.took(n)
		}
	}
	if len(o.pending) == 0 && !o.writing {
		_ = c.nc.Close()
		return
	}
	c.startWriting()
}

// whenDrained returns what is closed when nothing is pending. It is called with the lock.
func (o *outbox) whenDrained() <-chan struct{} {
	if o.drained == nil {
		o.drained = make(chan struct{})
	}
	return o.drained
}

// waitWritten waits, after end, until what was pending is written, or cannot be.
func (c *conn) waitWritten() {
	o := &c.out
	o.mu.Lock()
	if len(o.pending) == 0 || o.broken {
		o.mu.Unlock()
		return
	}
	drained := o.whenDrained()
	o.mu.Unlock()
	<-drained
}

// waitDrained waits until nothing is pending, or the connection ends. Only the reader may call it.
func (c *conn) waitDrained() {
	o := &c.out
	o.mu.Lock()
	if len(o.pending) == 0 || o.broken || o.ending {
		o.mu.Unlock()
		return
	}
	drained := o.whenDrained()
	corked := o.corked
	o.corked = false
	c.startWriting()
	o.mu.Unlock()
	<-drained
	if corked {
		c.cork()
	}
}
