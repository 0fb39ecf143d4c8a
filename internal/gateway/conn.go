package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/hub"
	"github.com/unhidra/unhidra/internal/ratelimit"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// conn is one connection. While nothing happens it costs its own fields, a
// socket and one goroutine that waits to read.
type conn struct {
	queue
	member hub.Member
	g      *Service
	nc     net.Conn
	raw    syscall.RawConn // nil if nc is not a plain socket
	id     string
	user   domain.UserRef
	addr   netip.Addr
	agent  string
	since  int64 // Unix nanoseconds
	leaves int64 // when it is too old, Unix nanoseconds; 0: never

	expires atomic.Int64 // Unix nanoseconds; 0: never
	proof   atomic.Pointer[domain.Principal]

	// Of the reader alone.
	parser     ws.Parser
	pooled     *[]byte // the buffer that buf is in
	buf        []byte  // read, not parsed yet
	need       int32   // bytes that buf must be able to hold
	strikes    uint8   // malformed frames
	refusals   uint8   // frames refused for their number, less those accepted since
	discarding bool    // what comes is not read as frames any more
	first      [1]byte // of what comes, if that must be waited for with a buffer
	readReady  func(fd uintptr) bool
	readErr    error
	perConn    ratelimit.Cell
	requests   ratelimit.Cell
	typing     ratelimit.Cell
	pings      ratelimit.Cell
	volume     ratelimit.Cell

	heard      atomic.Int64 // when something last came, Unix nanoseconds
	pinged     atomic.Int64 // when it was last sent a ping
	messagesIn atomic.Int64
	bytesIn    atomic.Int64
	closing    atomic.Bool
	finished   atomic.Bool            // no more is delivered
	device     *ofDevice              // nil: it is a person's
	reason     atomic.Pointer[string] // why it ends, for the metrics
}

var (
	smallBuffers = bufferPool{sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}}
	bigBuffers   = bufferPool{sync.Pool{New: func() any { b := make([]byte, 0, wire.MaxFrame+ws.MaxHeader); return &b }}}
)

type bufferPool struct{ p sync.Pool }

func (p *bufferPool) get() *[]byte  { return p.p.Get().(*[]byte) }
func (p *bufferPool) put(b *[]byte) { p.p.Put(b) }

// who returns whom the connection's last token proved.
func (c *conn) who() domain.Principal { return *c.proof.Load() }

func (c *conn) prove(p domain.Principal) {
	c.proof.Store(&p)
	if p.Expires.IsZero() {
		c.expires.Store(0)
		return
	}
	c.expires.Store(p.Expires.UnixNano())
}

// context returns a context for work on c, which names c in the log: for a request on it, or,
// without an id, as part of ctx's.
func (c *conn) context(ctx context.Context, id string) context.Context {
	return httpx.WithConn(ctx, c.id, c.user.ID, id)
}

// setReason records why the connection ends; the first reason counts.
func (c *conn) setReason(reason string) { c.reason.CompareAndSwap(nil, &reason) }

// read serves the connection until it ends. The HTTP server has read the buffered
// bytes already.
func (c *conn) read(buffered []byte) {
	defer c.finish()
	if len(buffered) > 0 {
		c.need = int32(len(buffered))
		c.grow()
		c.buf = append(c.buf, buffered...)
	}
	for c.parse() {
		if err := c.fill(); err != nil {
			c.setReason(reasonOf(err))
			return
		}
		c.heard.Store(c.g.Now().UnixNano())
	}
}

func reasonOf(err error) string {
	if errors.Is(err, io.EOF) {
		return "gone"
	}
	return "lost"
}

// parse takes the whole frames out of the buffer. It reports whether to read
// on.
func (c *conn) parse() bool {
	b := c.buf
	for len(b) > 0 && !c.discarding {
		m, n, need, err := c.parser.Next(b)
		if err != nil {
			c.protocolError(err)
			break
		}
		if n == 0 {
			c.need = int32(need)
			break
		}
		c.bytesIn.Add(int64(n))
		if !c.allowVolume(n) {
			break
		}
		b = b[n:]
		if !c.handle(m) {
			return false
		}
	}
	if c.discarding {
		b = nil
	}
	c.buf = c.buf[:copy(c.buf, b)]
	c.releaseBuffer()
	return true
}

// handle takes one message. It reports whether to go on.
func (c *conn) handle(m ws.Message) bool {
	switch m.Op {
	case ws.Close:
		c.setReason("client")
		code, _, _ := ws.ParseClose(m.Payload)
		if code == ws.CodeNone {
			code = ws.CodeNormal
		}
		if c.closing.Load() {
			return false
		}
		c.close(code, "", "client", false)
		return false
	case ws.Ping:
		c.pong(m.Payload)
	case ws.Text:
		c.messagesIn.Add(1)
		if c.device != nil {
			c.device.spoke.Store(c.g.Now().UnixNano())
		}
		if !c.closing.Load() {
			c.request(m.Payload)
		}
	case ws.Binary:
		c.close(ws.CodeBadType, "frames are text", "protocol", false)
	}
	return true
}

// pingRate is how often a client may ask whether the server is there.
var pingRate = ratelimit.NewRate(10, time.Second, 20)

func (c *conn) pong(payload []byte) {
	if ok, wait := c.pings.Allow(pingRate, c.g.Now()); !ok {
		c.closeForRate(wait)
		return
	}
	c.push(ws.AppendFrame(nil, ws.Pong, payload))
}

// protocolError ends the connection of a client that does not keep to RFC 6455.
func (c *conn) protocolError(err error) {
	c.discarding = true
	var e *ws.Error
	if !errors.As(err, &e) {
		e = &ws.Error{Code: ws.CodeInternal}
	}
	c.close(e.Code, e.Reason, "protocol", false)
}

// push queues an encoded frame and writes it if nobody else is writing.
// A connection that cannot take it is ended.
func (c *conn) push(frame []byte) {
	flush, full := c.put(frame, c.g.Limits.Queue)
	if full {
		flush = c.Overflow()
	}
	if flush {
		c.flush()
	}
}

// Offer implements hub.Queue.
func (c *conn) Offer(frame []byte) hub.Offered {
	switch flush, full := c.put(frame, c.g.Limits.Queue); {
	case full:
		return hub.Full
	case flush:
		return hub.Unsent
	}
	return hub.Taken
}

// Format is how all connections of the gateway are spoken to.
func (c *conn) Format() hub.Format { return c.g.format }

// Overflow implements hub.Queue: it ends a connection that reads too slowly.
func (c *conn) Overflow() (flush bool) {
	frame := ws.AppendFrame(nil, ws.Close, ws.ClosePayload(wire.CloseSlow, "too slow in reading; come back and sync"))
	flush, first := c.end(true, frame)
	if first {
		c.ends("slow")
	}
	return flush
}

// close says goodbye: what waits is sent first, unless it is to be dropped,
// then a close frame. The other side has a short time to answer it.
func (c *conn) close(code int, text, reason string, drop bool) {
	flush, first := c.end(drop, ws.AppendFrame(nil, ws.Close, ws.ClosePayload(code, text)))
	if first {
		c.ends(reason)
	}
	if flush {
		c.flush()
	}
}

// revoke ends a connection whose session has ended. One that was renewed returns
// with its new tokens, and a device that changed hands at once, with its key.
func (c *conn) revoke(reason string) {
	if reason == domain.EndTransferred {
		c.close(wire.CloseRestarting, "0", reason, true)
		return
	}
	if reason == bus.Renewed {
		c.close(wire.CloseToken, reason, "renewed", true)
		return
	}
	news := encode(wire.Reply{Type: wire.TypeRevoked, Data: wire.Revoked{Reason: reason}})
	bye := ws.AppendFrame(nil, ws.Close, ws.ClosePayload(wire.CloseRevoked, reason))
	flush, first := c.end(true, news, bye)
	if first {
		c.ends("revoked")
	}
	if flush {
		c.flush()
	}
}

// outdated ends a connection whose proof ended before the connection was known to have it. Whether the
// session has ended or goes on under another id is not known here: the client learns it when it refreshes.
func (c *conn) outdated() {
	c.close(wire.CloseToken, "the token has ended; refresh it", "token", true)
}

func (c *conn) ends(reason string) {
	c.setReason(reason)
	c.closing.Store(true)
	_ = c.nc.SetReadDeadline(time.Now().Add(closeTime))
}

// finish lets go of everything.
func (c *conn) finish() {
	if !c.closing.Load() {
		c.fail()
	}
	c.buf = c.buf[:0]
	c.need = 0
	c.parser = ws.Parser{}
	c.releaseBuffer()
	c.finished.Store(true)
	c.detached()
	c.g.Presence.Disconnect(c.id)
	c.g.Readings.Unwatch(c.id)
	c.g.Hub.Remove(&c.member)
	c.g.conns.release(c.addr)
	c.linger()
	why := "lost"
	if r := c.reason.Load(); r != nil {
		why = *r
	}
	c.g.metrics.disconnects.WithLabelValues(why).Inc()
	if c.who().Kind == domain.KindDevice {
		c.g.Devices.DeviceDisconnected(c.context(context.Background(), ""), c.id, why)
	}
}

// ofDevice is what only connections of devices have.
type ofDevice struct {
	spoke   atomic.Int64               // when its program last sent something: no pong, which its library sends
	detach  atomic.Pointer[func()]     // ends the delivery of commands and settings
	updates atomic.Pointer[attachment] // nil: the device has not said what it runs
}

func (d *ofDevice) lastSpoke() time.Time { return time.Unix(0, d.spoke.Load()) }

// linger closes the socket once a close frame that waits is written.
func (c *conn) linger() {
	c.mu.Lock()
	busy := c.flushing && !c.broken
	c.orphan = busy
	c.mu.Unlock()
	if !busy {
		_ = c.nc.Close()
	}
}

// grow makes buf able to take more bytes, at least up to need.
func (c *conn) grow() {
	if c.pooled == nil {
		c.pooled = smallBuffers.get()
		c.buf = (*c.pooled)[:0]
	}
	if len(c.buf) < cap(c.buf) && int(c.need) <= cap(c.buf) {
		return
	}
	old, read := c.pooled, c.buf
	c.pooled = bigBuffers.get()
	c.buf = append((*c.pooled)[:0], read...)
	smallBuffers.put(old)
}

// releaseBuffer gives an empty buffer back.
func (c *conn) releaseBuffer() {
	if c.pooled == nil || len(c.buf) > 0 {
		return
	}
	if cap(*c.pooled) > 4<<10 {
		bigBuffers.put(c.pooled)
	} else {
		smallBuffers.put(c.pooled)
	}
	c.pooled, c.buf, c.need = nil, nil, 0
}

// fillBlocking is fill for connections that are not plain sockets, which can only
// be waited for with somewhere to read to. A byte will do: the rest of what came
// is there at once, for a buffer.
func (c *conn) fillBlocking() error {
	if c.pooled == nil && !c.discarding {
		n, err := c.nc.Read(c.first[:])
		if n == 0 {
			return err
		}
		c.grow()
		c.buf = append(c.buf, c.first[0])
		return nil
	}
	c.grow()
	n, err := c.nc.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}
