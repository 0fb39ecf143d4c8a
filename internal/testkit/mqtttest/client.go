// Package mqtttest is an MQTT client for tests: it sends what it is told to, right or wrong, and
// shows every packet that comes.
package mqtttest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/ws"
)

// patience is how long a packet may take.
const patience = 2 * time.Minute

// A Packet is one that came: its header, and the struct of its type.
type Packet struct {
	packet.Header
	Body any
}

// A Client is a connection.
type Client struct {
	tb      testing.TB
	nc      net.Conn
	version packet.Version
	packets chan Packet
	once    sync.Once
	nextID  uint16
	held    []Packet // that came before one that was waited for
}

// Connect opens a connection to addr and sends p. It returns the answer; a connection that is closed
// without one answers with the code 0xff.
func Connect(tb testing.TB, addr string, p packet.Connect) (*Client, packet.Connack) {
	tb.Helper()
	nc, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	return On(tb, nc, p)
}

// On is Connect on a connection that is there.
func On(tb testing.TB, nc net.Conn, p packet.Connect) (*Client, packet.Connack) {
	tb.Helper()
	if p.Version == 0 {
		p.Version = packet.V311
	}
	c := &Client{tb: tb, nc: nc, version: p.Version, packets: make(chan Packet, 10_000)}
	tb.Cleanup(c.Close)
	go c.read()
	c.Send(packet.AppendConnect(nil, p))
	got, ok := c.next()
	if !ok {
		return c, packet.Connack{Code: 0xff}
	}
	ack, ok := got.Body.(packet.Connack)
	if !ok {
		tb.Fatalf("CONNECT was answered by %+v", got)
	}
	return c, ack
}

// Must is Connect for one that is let in.
func Must(tb testing.TB, addr string, p packet.Connect) *Client {
	tb.Helper()
	c, ack := Connect(tb, addr, p)
	if ack.Code != packet.Success {
		tb.Fatalf("CONNECT was refused with 0x%02x", byte(ack.Code))
	}
	return c
}

// Close cuts the connection.
func (c *Client) Close() { c.once.Do(func() { _ = c.nc.Close() }) }

// Send sends bytes.
func (c *Client) Send(b []byte) {
	_ = c.nc.SetWriteDeadline(time.Now().Add(patience))
	_, _ = c.nc.Write(b) // a connection that has ended is noticed by reading
}

func (c *Client) read() {
	defer close(c.packets)
	var b []byte
	chunk := make([]byte, 64<<10)
	ended := false
	for {
		h, body, n, _, err := packet.Split(b, packet.MaxLength)
		if err != nil || n == 0 && ended {
			return
		}
		if n > 0 {
			p, err := c.parse(h, append([]byte(nil), body...))
			if err != nil {
				c.tb.Errorf("the server sends what cannot be read: %v", err)
				return
			}
			c.packets <- Packet{h, p}
			b = b[n:]
			continue
		}
		n, err = c.nc.Read(chunk) // TLS says the end together with the last bytes
		b = append(b, chunk[:n]...)
		ended = err != nil
	}
}

func (c *Client) parse(h packet.Header, body []byte) (any, error) {
	switch h.Type {
	case packet.CONNACK:
		return packet.ParseConnack(body, c.version)
	case packet.PUBLISH:
		return packet.ParsePublish(h, body, c.version)
	case packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP:
		return packet.ParseAck(h.Type, body, c.version)
	case packet.SUBACK, packet.UNSUBACK:
		return packet.ParseSuback(h.Type, body, c.version)
	case packet.DISCONNECT:
		return packet.ParseDisconnect(h.Type, body, c.version)
	}
	return nil, nil
}

func (c *Client) next() (Packet, bool) {
	c.tb.Helper()
	if len(c.held) > 0 {
		p := c.held[0]
		c.held = c.held[1:]
		return p, true
	}
	return c.fresh()
}

func (c *Client) fresh() (Packet, bool) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), patience)
	defer cancel()
	select {
	case p, ok := <-c.packets:
		return p, ok
	case <-ctx.Done():
		c.tb.Fatal("no packet came")
		return Packet{}, false
	}
}

// Next returns the next packet.
func (c *Client) Next() Packet {
	c.tb.Helper()
	p, ok := c.next()
	if !ok {
		c.tb.Fatal("the server has closed the connection")
	}
	return p
}

// Ended waits for the end of the connection and returns the code of the last DISCONNECT; 0: there
// was none.
func (c *Client) Ended() (code packet.Code) {
	c.tb.Helper()
	for {
		p, ok := c.next()
		if !ok {
			return code
		}
		if d, ok := p.Body.(packet.Disconnect); ok {
			code = d.Code
		}
	}
}

// ID returns a packet identifier that is not in use.
func (c *Client) ID() uint16 { c.nextID++; return c.nextID }

// Publish sends p and returns the answer's code; of QoS 0 there is none, and of QoS 2 it carries
// the exchange out.
func (c *Client) Publish(p packet.Publish) packet.Code {
	c.tb.Helper()
	if p.QoS > 0 && p.ID == 0 {
		p.ID = c.ID()
	}
	b, _ := packet.AppendPublish(nil, c.version, p)
	c.Send(b)
	if p.QoS == 0 {
		return 0
	}
	code := c.answer(p.ID)
	if p.QoS == 2 && code < packet.Unspecified {
		c.Send(packet.AppendAck(nil, packet.PUBREL, c.version, packet.Ack{ID: p.ID}))
		return c.answer(p.ID)
	}
	return code
}

func (c *Client) answer(id uint16) packet.Code {
	c.tb.Helper()
	p := c.Next()
	a, ok := p.Body.(packet.Ack)
	if !ok || a.ID != id {
		c.tb.Fatalf("got %+v instead of an answer to %d", p, id)
	}
	return a.Code
}

// Subscribe subscribes and returns the codes.
func (c *Client) Subscribe(fs ...packet.Filter) []packet.Code {
	c.tb.Helper()
	c.Send(packet.AppendSubscribe(nil, c.version, packet.Subscribe{ID: c.ID(), Filters: fs}))
	p := c.Next()
	a, ok := p.Body.(packet.Suback)
	if !ok {
		c.tb.Fatalf("got %+v instead of SUBACK", p)
	}
	return a.Codes
}

// Message waits for a message, acknowledges it and returns it.
func (c *Client) Message() packet.Publish {
	c.tb.Helper()
	p := c.Next()
	m, ok := p.Body.(packet.Publish)
	if !ok {
		c.tb.Fatalf("got %+v instead of a message", p)
	}
	switch m.QoS {
	case 1:
		c.Send(packet.AppendAck(nil, packet.PUBACK, c.version, packet.Ack{ID: m.ID}))
	case 2:
		c.Send(packet.AppendAck(nil, packet.PUBREC, c.version, packet.Ack{ID: m.ID}))
		c.awaitRelease(m.ID)
		c.Send(packet.AppendAck(nil, packet.PUBCOMP, c.version, packet.Ack{ID: m.ID}))
	}
	return m
}

// awaitRelease waits for a PUBREL. Other messages may come before it.
func (c *Client) awaitRelease(id uint16) {
	c.tb.Helper()
	for {
		p, ok := c.fresh()
		if !ok {
			c.tb.Fatal("the server has closed the connection instead of sending PUBREL")
		}
		if a, ok := p.Body.(packet.Ack); ok && p.Type == packet.PUBREL && a.ID == id {
			return
		}
		c.held = append(c.held, p)
	}
}

// Silent makes sure that nothing was sent before now: the next packet is the answer to a ping.
func (c *Client) Silent() {
	c.tb.Helper()
	c.Send(packet.Ping)
	if p := c.Next(); p.Type != packet.PINGRESP {
		c.tb.Errorf("got %+v, and nothing was expected", p)
	}
}

// WebSocket returns the stream that a client has on a WebSocket.
func WebSocket(nc net.Conn) net.Conn {
	return &webSocket{Conn: nc, parser: ws.Parser{Max: 1 << 20, Client: true}}
}

type webSocket struct {
	net.Conn
	parser  ws.Parser
	buf, in []byte
}

// Read implements net.Conn.
func (c *webSocket) Read(b []byte) (int, error) {
	for len(c.in) == 0 {
		m, n, _, err := c.parser.Next(c.buf)
		if err != nil {
			return 0, err
		}
		if n > 0 {
			if m.Op == ws.Binary {
				c.in = append([]byte(nil), m.Payload...)
			}
			c.buf = c.buf[n:]
			continue
		}
		chunk := make([]byte, 4096)
		n, err = c.Conn.Read(chunk)
		c.buf = append(c.buf, chunk[:n]...)
		if n == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(b, c.in)
	c.in = c.in[n:]
	return n, nil
}

// Write implements net.Conn. Packets straddle frames.
func (c *webSocket) Write(b []byte) (int, error) {
	half := len(b) / 2
	for _, part := range [][]byte{b[:half], b[half:]} {
		if _, err := c.Conn.Write(ws.AppendMasked(nil, ws.Binary, part, [4]byte{1, 2, 3, 4})); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
