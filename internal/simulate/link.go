package simulate

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// link is a connection of a device. Its requests are made one at a time, by whoever comes first.
type link interface {
	describe(c domain.Capabilities) error
	report(r wire.Report) error // nil: the server has it on disk, or never wants it
	answer(r wire.CommandReport) error
	bye(back time.Duration) error
	ping() error
	orders() <-chan wire.Command
	refused() <-chan wire.Refusal
	firmware(r wire.FirmwareReport) error
	progress(p wire.FirmwareProgress) (wire.FirmwareAnswer, error)
	readImage(r wire.FirmwareRead) ([]byte, error)
	crash(r wire.CrashReport) error
	offered() <-chan wire.FirmwareOffer
	ended() <-chan struct{}
	close()
}

// no is a refusal by the server.
type no struct {
	text  string
	final bool          // the same would be refused again
	key   bool          // the key opens no connection
	after time.Duration // when to try again; 0: not said
}

func (e *no) Error() string { return "the server refuses: " + e.text }

const (
	patience    = 30 * time.Second // for an answer
	ordersMost  = 64
	refusedMost = 64
)

var (
	errEnded  = errors.New("the connection has ended")
	errSilent = errors.New("the server does not answer")
)

// mailbox is what the reader of a link hands over.
type mailbox struct {
	commands chan wire.Command
	refusals chan wire.Refusal
	offers   chan wire.FirmwareOffer
	done     chan struct{}
	once     sync.Once
}

func newMailbox() mailbox {
	return mailbox{commands: make(chan wire.Command, ordersMost), refusals: make(chan wire.Refusal, refusedMost),
		offers: make(chan wire.FirmwareOffer, 1), done: make(chan struct{})}
}

func (m *mailbox) orders() <-chan wire.Command        { return m.commands }
func (m *mailbox) refused() <-chan wire.Refusal       { return m.refusals }
func (m *mailbox) offered() <-chan wire.FirmwareOffer { return m.offers }
func (m *mailbox) ended() <-chan struct{}             { return m.done }
func (m *mailbox) end()                               { m.once.Do(func() { close(m.done) }) }

// offer hands an offer over, in the place of one that was not looked at. The reader of the link alone calls it.
func (m *mailbox) offer(data []byte) {
	var o wire.FirmwareOffer
	if json.Unmarshal(data, &o) != nil {
		return
	}
	select {
	case <-m.offers:
	default:
	}
	m.offers <- o
}

// order hands a command over. One that does not fit comes again with the next connection.
func (m *mailbox) order(data []byte) {
	var c wire.Command
	if json.Unmarshal(data, &c) != nil {
		return
	}
	select {
	case m.commands <- c:
	default:
	}
}

func (m *mailbox) refuse(rs []wire.Refusal) {
	for _, r := range rs {
		select {
		case m.refusals <- r:
		default:
		}
	}
}

// await waits for the answer to a request.
func await[T any](m *mailbox, answers <-chan T) (answer T, err error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case answer = <-answers:
		return answer, nil
	case <-m.done:
		return answer, errEnded
	case <-late.C:
		return answer, errSilent
	}
}

// refusal returns what the server refuses.
func refusal(b *wire.ErrorBody) *no {
	e := &no{text: b.Detail, after: time.Duration(b.RetryAfter * float64(time.Second))}
	switch b.Kind {
	case "unavailable", "rate_limited", "internal":
	default:
		e.final = true
	}
	return e
}

// DialFunc opens a connection of a device, by its number, to an address.
type DialFunc func(ctx context.Context, number int, address string) (net.Conn, error)

// dialURL opens a connection to a URL: with TLS if its scheme says so.
func (f *Fleet) dialURL(ctx context.Context, number int, address string) (net.Conn, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	p, known := map[string]struct {
		port int
		tls  bool
	}{"http": {80, false}, "https": {443, true}, "mqtt": {1883, false}, "mqtts": {8883, true}}[u.Scheme]
	if !known || u.Hostname() == "" {
		return nil, fmt.Errorf("%s: an address begins with http://, https://, mqtt:// or mqtts://", address)
	}
	port := u.Port()
	if port == "" {
		port = strconv.Itoa(p.port)
	}
	nc, err := f.o.Dial(ctx, number, net.JoinHostPort(u.Hostname(), port))
	if err != nil || !p.tls {
		return nc, err
	}
	c := f.o.TLS.Clone()
	if c == nil {
		c = &tls.Config{}
	}
	if c.ServerName == "" {
		c.ServerName = u.Hostname()
	}
	return tls.Client(nc, c), nil
}

// roughConn is a connection over a bad network.
type roughConn struct {
	net.Conn
	delay *atomic.Int64 // nanoseconds that each write takes
	hole  *atomic.Bool  // nothing arrives, in either direction
	cut   chan struct{}
	once  sync.Once
}

// Write implements net.Conn.
func (c *roughConn) Write(b []byte) (int, error) {
	if d := c.delay.Load(); d > 0 {
		select {
		case <-time.After(time.Duration(d)):
		case <-c.cut:
		}
	}
	if c.hole.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// Read implements net.Conn.
func (c *roughConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.hole.Load() {
		<-c.cut
		return 0, net.ErrClosed
	}
	return n, err
}

// Close implements net.Conn.
func (c *roughConn) Close() error {
	c.once.Do(func() { close(c.cut) })
	return c.Conn.Close()
}
