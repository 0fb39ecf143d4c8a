package mqtt

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

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// conn is one connection. While nothing happens it costs its own fields, a socket and one
// goroutine that waits to read.
type conn struct {
	out       outbox
	s         *Service
	nc        net.Conn
	raw       syscall.RawConn // nil if nc is not a plain socket
	feed      *feed           // of TLS; nil: it reads its socket itself
	transport string
	id        string
	addr      netip.Addr

	// Set by CONNECT.
	version   packet.Version
	who       domain.Principal
	key       string // of the client: principal and client id
	sess      *session
	will      atomic.Pointer[will]   // nil: none, or it was dealt with
	nonce     atomic.Pointer[string] // for offers of updates; nil: the device has reported none
	keepalive time.Duration          // without a packet for so long, and half of it more, it is dead; 0: never
	maxPacket int                    // that the client takes

	// Of the reader alone.
	pooled    *[]byte
	buf       []byte // read, not parsed yet
	need      int    // bytes that buf must be able to hold
	readReady func(fd uintptr) bool
	readErr   error
	first     [1]byte
	aliases   []string // topics by alias
	messages  ratelimit.Cell
	debug     ratelimit.Cell
	refused   time.Time // when a refusal was last logged
	attached  bool      // commands are delivered, or will be

	commands commands
	viewing  viewing

	heard  atomic.Int64 // when something last came, Unix nanoseconds
	spoke  atomic.Int64 // when its program last sent something: no PINGREQ and no answer, which its library sends
	ready  atomic.Bool  // what CONNECT sets is set
	reason atomic.Pointer[string]
	left   sync.Once
}

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, 0, maxPreAuth); return &b }}
	bigBuffers   = sync.Pool{New: func() any { b := make([]byte, 0, maxPacket+packet.MaxHeader); return &b }}
)

// setReason records why the connection ends; the first reason counts.
func (c *conn) setReason(reason string) { c.reason.CompareAndSwap(nil, &reason) }

// context returns a context for work on c, which names c and its user in the log.
func (c *conn) context(ctx context.Context) context.Context {
	return httpx.WithConn(ctx, c.id, c.who.ID, "")
}

// handshake reads CONNECT, answers it, and has the connection served.
func (c *conn) handshake(ctx context.Context) {
	_ = c.nc.SetDeadline(time.Now().Add(connectTime))
	if err := c.awaitConnect(ctx); err != nil {
		c.refuse(err)
		return
	}
	_ = c.nc.SetDeadline(time.Time{})
	if c.feed != nil {
		c.feed.poll()
	}
	go c.read() // on a stack of its own, which has not grown
}

func (c *conn) awaitConnect(ctx context.Context) error {
	for {
		h, body, n, need, err := packet.Split(c.buf, maxPreAuth)
		switch {
		case err != nil:
			return err
		case n == 0:
			c.need = need
			if err := c.fill(); err != nil {
				return errGone
			}
			continue
		case h.Type != packet.CONNECT:
			return errGone // not MQTT, or nobody that could be told
		}
		p, err := packet.ParseConnect(body)
		c.version = p.Version
		if err != nil {
			return err
		}
		c.buf = c.buf[:copy(c.buf, c.buf[n:])]
		return c.inTurn(ctx, func(ctx context.Context) error { return c.connect(ctx, p) })
	}
}

// inTurn has a client connected when those that came before it are. After a restart all come at once: many at a time
// would take so long that each gave up, and came again.
func (c *conn) inTurn(ctx context.Context, connect func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, admitTime)
	defer cancel()
	select {
	case c.s.admitting <- struct{}{}:
	default:
		select {
		case c.s.admitting <- struct{}{}:
		case <-ctx.Done():
			return &packet.Error{Code: packet.Unavailable, Text: "too many clients connect at once"}
		}
		if c.hungUp() {
			<-c.s.admitting
			return errGone
		}
	}
	defer func() { <-c.s.admitting }()
	return connect(ctx)
}

// errGone ends a connection without a word.
var errGone = errors.New("the connection ended")

// read serves the connection until it ends.
func (c *conn) read() {
	defer c.finish()
	for c.parse() {
		if err := c.fill(); err != nil {
			reason := "lost"
			if errors.Is(err, io.EOF) {
				reason = "gone"
			}
			c.setReason(reason)
			return
		}
		c.heard.Store(c.s.Now().UnixNano())
	}
}

// parse takes the whole packets out of the buffer. It reports whether to read on. What it has
// to answer is written at once at the end.
func (c *conn) parse() bool {
	c.cork()
	defer c.uncork()
	b := c.buf
	for len(b) > 0 {
		h, body, n, need, err := packet.Split(b, maxPacket)
		if err == nil && n > 0 {
			err = c.handle(h, body)
		}
		if err != nil {
			c.buf = c.buf[:0]
			c.releaseBuffer()
			c.breach(err)
			return false
		}
		if n == 0 {
			c.need = need
			break
		}
		b = b[n:]
	}
	c.buf = c.buf[:copy(c.buf, b)]
	c.releaseBuffer()
	return c.sess.refill(c)
}

// handle takes one packet. Its error ends the connection.
func (c *conn) handle(h packet.Header, body []byte) error {
	switch h.Type {
	case packet.PUBLISH:
		c.spoke.Store(c.s.Now().UnixNano())
		return c.onPublish(h, body)
	case packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP:
		a, err := packet.ParseAck(h.Type, body, c.version)
		if err == nil {
			c.onAck(h.Type, a)
		}
		return err
	case packet.SUBSCRIBE:
		c.spoke.Store(c.s.Now().UnixNano())
		return c.onSubscribe(body)
	case packet.UNSUBSCRIBE:
		return c.onUnsubscribe(body)
	case packet.PINGREQ:
		c.send(packet.Pong)
		return nil
	case packet.DISCONNECT:
		return c.onDisconnect(body)
	case packet.CONNECT:
		return &packet.Error{Code: packet.ProtocolError, Text: "CONNECT came twice"}
	}
	return &packet.Error{Code: packet.ProtocolError, Text: h.Type.String() + " is not for a client to send"}
}

// onDisconnect ends the connection as the client wants it.
func (c *conn) onDisconnect(body []byte) error {
	d, err := packet.ParseDisconnect(packet.DISCONNECT, body, c.version)
	if err != nil {
		return err
	}
	if e, ok := d.Props.Num(packet.SessionExpiry); ok {
		if !c.sess.setExpiry(e) {
			return &packet.Error{Code: packet.ProtocolError, Text: "a session that ends at once cannot be kept after all"}
		}
	}
	if d.Code != packet.WithWill {
		c.will.Store(nil)
	}
	c.setReason("client")
	return errGone
}

// breach ends the connection of a client that does not keep to the protocol.
func (c *conn) breach(err error) {
	var e *packet.Error
	if errors.As(err, &e) {
		c.setReason("protocol")
		c.s.Log.DebugContext(c.context(context.Background()), "MQTT client breaks the protocol", "err", err)
		c.goodbye(e.Code)
	}
}

// goodbye sends DISCONNECT, in MQTT 5, as the last packet.
func (c *conn) goodbye(code packet.Code) {
	var b []byte
	if c.version == packet.V5 {
		b = packet.AppendDisconnect(nil, packet.DISCONNECT, c.version, packet.Disconnect{Code: code})
	}
	c.end(b)
}

// administrative are the ends that the server decides on.
const administrative = packet.Administrative

// kick ends the connection for a reason of the server's. The reader notices, and finishes.
func (c *conn) kick(code packet.Code, reason string) {
	c.setReason(reason)
	c.goodbye(code)
	_ = c.nc.SetReadDeadline(time.Now())
}

// finish lets go of everything. The connection counts as open until that is done.
func (c *conn) finish() {
	c.leave()
	c.buf = c.buf[:0]
	c.releaseBuffer()
	c.end(nil)
	why := "lost"
	if r := c.reason.Load(); r != nil {
		why = *r
	}
	c.s.metrics.disconnects.WithLabelValues(why).Inc()
	c.s.Presence.Disconnect(c.id)
	if c.who.Kind == domain.KindDevice {
		c.s.Devices.DeviceDisconnected(c.context(context.Background()), c.id, why)
	}
	c.waitWritten()
	c.s.release(c)
}

// lastSpoke returns when its program last sent something.
func (c *conn) lastSpoke() time.Time { return time.Unix(0, c.spoke.Load()) }

// grow makes buf able to take more bytes, at least up to need.
func (c *conn) grow() {
	if c.pooled == nil {
		c.pooled = smallBuffers.Get().(*[]byte)
		c.buf = (*c.pooled)[:0]
	}
	if len(c.buf) < cap(c.buf) && c.need <= cap(c.buf) {
		return
	}
	old, read := c.pooled, c.buf
	c.pooled = bigBuffers.Get().(*[]byte)
	c.buf = append((*c.pooled)[:0], read...)
	putBuffer(old)
}

// releaseBuffer gives an empty buffer back.
func (c *conn) releaseBuffer() {
	if c.pooled == nil || len(c.buf) > 0 {
		return
	}
	putBuffer(c.pooled)
	c.pooled, c.buf, c.need = nil, nil, 0
}

func putBuffer(b *[]byte) {
	if cap(*b) > maxPreAuth {
		bigBuffers.Put(b)
	} else {
		smallBuffers.Put(b)
	}
}

// fillBlocking is fill for connections that are not plain sockets. It waits with a buffer of one
// byte.
func (c *conn) fillBlocking() error {
	if c.pooled == nil {
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
