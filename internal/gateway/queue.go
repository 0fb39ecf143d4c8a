package gateway

import (
	"errors"
	"net"
	"sync"
	"time"
)

const (
	writeTime = 10 * time.Second // for a step of a blocked write
	writeStep = 32 << 10         // bytes that the other side must take in that time
	closeTime = 5 * time.Second  // for the other side to take a close frame
	coalesce  = 64 << 10         // bytes joined into one write
	keepQueue = 4                // frames whose slots an empty queue keeps
)

// queue holds the frames that wait for one connection. Frames are shared and
// never changed. Whoever puts a frame into a queue that nobody is flushing
// must flush it, or pass that on; there is never more than one flusher.
type queue struct {
	mu       sync.Mutex
	frames   [][]byte
	sent     int   // bytes of frames[0] that are written
	bytes    int   // in frames, not written
	greeting int   // bytes of the first pages frames, however many rooms they name: they count against no bound
	pages    int32 // frames at the head of frames that are of the greeting
	taken    int32 // frames that are being written
	held     bool  // nothing may go out yet: the first frame is still to come
	flushing bool
	ending   bool // a close frame is the last one in frames, or has been sent
	broken   bool // the connection failed; nothing goes out any more
	orphan   bool // the reader has left: the flusher closes the socket

	messagesOut, bytesOut int64
}

// put adds a frame. It reports whether the caller must flush, and whether the
// frame was too much for the bound.
func (q *queue) put(frame []byte, bound int) (flush, full bool) {
	q.mu.Lock()
	switch {
	case q.ending || q.broken:
	case q.bytes+len(frame) > bound+q.greeting:
		full = true
	default:
		flush = q.add(frame)
	}
	q.mu.Unlock()
	return flush, full
}

func (q *queue) add(frame []byte) (flush bool) {
	q.frames = append(q.frames, frame)
	q.bytes += len(frame)
	if q.held || q.flushing {
		return false
	}
	q.flushing = true
	return true
}

// open puts the greeting before everything that was held, and lets it all go.
func (q *queue) open(greeting ...[]byte) (flush bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.held || q.broken {
		return false
	}
	q.held = false
	if q.ending {
		greeting = nil // only the close frame
	}
	q.frames = append(greeting, q.frames...)
	q.pages = int32(len(greeting))
	for _, f := range greeting {
		q.greeting += len(f)
	}
	q.bytes += q.greeting
	q.flushing = true
	return true
}

// end adds the frames that close the connection, after which none is taken.
// With drop, what waits is forgotten first, but for the rest of a frame that
// is partly sent.
func (q *queue) end(drop bool, frames ...[]byte) (flush, first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ending || q.broken {
		return false, false
	}
	q.held = false
	if drop {
		q.drop()
	}
	for _, f := range frames {
		flush = q.add(f) || flush
	}
	q.ending = true
	return flush, true
}

// drop forgets what waits, but for what is being written or partly sent.
func (q *queue) drop() {
	keep := int(q.taken)
	if keep == 0 && q.sent > 0 {
		keep = 1
	}
	for _, f := range q.frames[keep:] {
		q.bytes -= len(f)
	}
	q.leave(max(int(q.pages)-keep, 0), q.frames[keep:])
	clear(q.frames[keep:])
	q.frames = q.frames[:keep]
}

// take returns what the flusher writes next: the rest of one frame, or several
// joined. Nothing left ends the flush.
func (q *queue) take(w *writer) (b []byte, ending bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.broken || len(q.frames) == 0 {
		q.flushing = false
		q.trim()
		return nil, q.ending
	}
	q.taken = 1
	first := q.frames[0][q.sent:]
	if len(q.frames) == 1 || len(first)+len(q.frames[1]) > coalesce {
		return first, q.ending
	}
	if w.join == nil {
		w.join = make([]byte, 0, coalesce)
	}
	b = append(w.join, first...)
	for _, f := range q.frames[1:] {
		if len(b)+len(f) > coalesce {
			break
		}
		b = append(b, f...)
		q.taken++
	}
	return b, q.ending
}

// wrote counts n bytes as sent. It reports whether the queue is empty now, in
// which case the flush is over.
func (q *queue) wrote(n int) (done, ending bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytesOut += int64(n)
	q.bytes -= n
	n += q.sent
	gone := 0
	for gone < len(q.frames) && n >= len(q.frames[gone]) {
		n -= len(q.frames[gone])
		gone++
	}
	q.messagesOut += int64(gone)
	q.leave(min(int(q.pages), gone), q.frames)
	q.sent, q.taken = n, 0
	rest := copy(q.frames, q.frames[gone:])
	clear(q.frames[rest:])
	q.frames = q.frames[:rest]
	if rest > 0 {
		return false, false
	}
	q.flushing = false
	q.trim()
	return true, q.ending
}

// leave takes the first n of frames, which are no longer in the queue, out of the
// greeting.
func (q *queue) leave(n int, frames [][]byte) {
	for _, f := range frames[:n] {
		q.greeting -= len(f)
	}
	q.pages -= int32(n)
}

// trim gives the memory of an empty queue back.
func (q *queue) trim() {
	if cap(q.frames) > keepQueue {
		q.frames = nil
	}
}

// fail makes the queue take and give nothing any more.
func (q *queue) fail() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.broken, q.frames, q.bytes, q.sent, q.taken = true, nil, 0, 0, 0
}

func (q *queue) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

// writer is what it takes to write: whoever flushes has one, a connection does not.
type writer struct {
	b     []byte // to be written
	n     int    // what the socket took of it
	again bool   // not all of it
	err   error
	ready func(fd uintptr) // w.writeNow
	join  []byte           // where frames are joined
}

var writers = sync.Pool{New: func() any {
	w := new(writer)
	w.ready = w.writeNow
	return w
}}

// flush writes what waits, without ever blocking: a connection whose socket is
// full goes on in a goroutine of its own.
func (c *conn) flush() {
	w := writers.Get().(*writer)
	c.flushWith(w)
	w.b = nil
	writers.Put(w)
}

func (c *conn) flushWith(w *writer) {
	for {
		b, ending := c.take(w)
		if b == nil {
			c.flushed(ending)
			return
		}
		n, again, err := c.tryWrite(w, b)
		if err != nil {
			c.lost(err)
			return
		}
		if n > 0 {
			if done, ending := c.wrote(n); done {
				c.flushed(ending)
				return
			}
		}
		if again {
			go c.flushSlowly()
			return
		}
	}
}

// flushSlowly is flush for a connection that does not take bytes as fast as
// they come. It waits for it, but not for long.
func (c *conn) flushSlowly() {
	w := writers.Get().(*writer)
	defer writers.Put(w)
	for {
		b, ending := c.take(w)
		if b == nil {
			c.flushed(ending)
			return
		}
		limit := writeTime
		if ending {
			limit = closeTime
		}
		_ = c.nc.SetWriteDeadline(time.Now().Add(limit))
		n, err := c.nc.Write(b[:min(len(b), writeStep)])
		if done, ending := c.wrote(n); done && err == nil {
			c.flushed(ending)
			return
		}
		if err != nil {
			c.lost(err)
			return
		}
	}
}

// flushed is called when nothing waits any more. After a close frame no more
// is written; the reader waits for the other side to close.
func (c *conn) flushed(ending bool) {
	if !ending {
		return
	}
	c.mu.Lock()
	orphan := c.orphan
	c.mu.Unlock()
	if orphan {
		_ = c.nc.Close()
	} else if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// lost ends a connection that cannot be written to.
func (c *conn) lost(err error) {
	c.fail()
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		c.setReason("slow")
	} else {
		c.setReason("lost")
	}
	_ = c.nc.Close() // wakes the reader
}
