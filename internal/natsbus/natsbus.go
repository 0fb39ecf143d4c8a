// Package natsbus is a bus between nodes over NATS. Published messages reach this process at once
// through a bus.Local, and other nodes through a NATS server. While no server is available, a node
// still serves its own connections, and nodes read missed events from the log.
//
// A node has one NATS subscription for each subject, however many local subscribers it has. Callers
// never wait for the network: messages go into a bounded queue, which a goroutine writes.
package natsbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
)

// Options are the servers and the credentials for them.
type Options struct {
	Servers string // URLs, separated by commas, with user and password if required
	CA      string // PEM file of the CA of the servers' certificates; empty: the system's
	Cert    string // PEM files of the client certificate and its key; empty: none
	Key     string
	Creds   string // file with a user's JWT and seed; empty: none
	NKey    string // file with an NKey's seed; empty: none

	Name    string // of this node in the servers' monitoring
	Prefix  string // of all subjects, so that several systems can share servers
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: none
}

const (
	dialTime     = 2 * time.Second
	stalled      = 3 * time.Second // a write that takes longer fails
	pingEvery    = 3 * time.Second // a server that does not answer two pings counts as unavailable
	pingsMissed  = 2
	inbound      = 8192            // messages from NATS waiting for delivery here; further ones are dropped
	flushTimeout = 2 * time.Second // in Close, for queued messages
)

// Bus implements bus.Bus over NATS.
type Bus struct {
	log     *slog.Logger
	prefix  string
	local   *bus.Local
	nc      *nats.Conn
	in      chan *nats.Msg
	out     queue
	metrics metrics
	refusal atomic.Value // string: the last reason why no server accepted this node
	slow    atomic.Int64 // when subscribers were last told of a gap, because this node was too slow
	running sync.WaitGroup
	ctx     context.Context // done after Close
	cancel  context.CancelFunc
	closed  chan struct{}
}

// Connect returns a bus that connects to the servers of o, and reconnects until Close. Unavailable
// servers are no error: the node works without them, and Check reports them. An error means that o
// is invalid.
func Connect(o Options) (*Bus, error) {
	b := &Bus{log: o.Log, prefix: o.Prefix, local: bus.NewLocal(), in: make(chan *nats.Msg, inbound),
		closed: make(chan struct{})}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.out.init()
	b.metrics = newMetrics()
	options, err := b.options(o)
	if err != nil {
		return nil, err
	}
	if b.nc, err = nats.Connect(o.Servers, options...); err != nil {
		return nil, fmt.Errorf("NATS_URL: %w", err)
	}
	if !b.nc.IsConnected() {
		b.log.Warn("no NATS server answers; this node works without the others until one does")
	}
	b.register(o.Metrics)
	b.running.Go(b.send)
	b.running.Go(b.receive)
	return b, nil
}

// Probe connects once, and returns why no server of o accepts this node, or nil.
func Probe(o Options) (version string, err error) {
	options, err := o.proofs()
	if err != nil {
		return "", err
	}
	nc, err := nats.Connect(o.Servers, append(options, nats.Timeout(dialTime))...)
	if err != nil {
		return "", err
	}
	defer nc.Close()
	return nc.ConnectedServerVersion(), nil
}

func (b *Bus) options(o Options) ([]nats.Option, error) {
	options := []nats.Option{
		nats.Name("unhidra " + o.Name), nats.NoEcho(), nats.Timeout(dialTime), nats.FlusherTimeout(stalled),
		nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(pingsMissed),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.CustomReconnectDelay(func(int) time.Duration { return 250*time.Millisecond + rand.N(500*time.Millisecond) }),
		nats.ReconnectBufSize(-1), // late messages are useless, so nothing is buffered
		nats.ConnectHandler(b.onConnect), nats.ReconnectHandler(b.onReconnect), nats.DisconnectErrHandler(b.onDisconnect),
		nats.ReconnectErrHandler(b.onRefused), nats.ErrorHandler(b.onError), nats.LameDuckModeHandler(b.onLameDuck),
	}
	proofs, err := o.proofs()
	return append(options, proofs...), err
}

// proofs returns the options by which the node and the servers authenticate each other.
func (o Options) proofs() (options []nats.Option, err error) {
	if o.CA != "" {
		options = append(options, nats.RootCAs(o.CA))
	}
	if o.Cert != "" {
		options = append(options, nats.ClientCert(o.Cert, o.Key))
	}
	if o.Creds != "" {
		options = append(options, nats.UserCredentials(o.Creds))
	}
	if o.NKey != "" {
		option, err := nats.NkeyOptionFromSeed(o.NKey)
		if err != nil {
			return nil, fmt.Errorf("NATS_URL: nkey: %w", err)
		}
		options = append(options, option)
	}
	return options, nil
}

// Close publishes queued messages, if a server is connected, and closes the bus.
func (b *Bus) Close() {
	b.cancel()
	b.out.close()
	// The writer ends by itself. A server that does not read delays it no longer than a write may
	// take.
	done := make(chan struct{})
	go func() { <-b.out.ended; _ = b.nc.FlushTimeout(flushTimeout); close(done) }()
	select {
	case <-done:
	case <-time.After(flushTimeout):
	}
	b.nc.Close()
	close(b.closed)
	b.running.Wait()
}

// ErrDisconnected is returned by Check while no server is connected.
var ErrDisconnected = errors.New("no NATS server is connected")

// Check returns an error if other nodes cannot be reached.
func (b *Bus) Check(context.Context) error {
	if !b.nc.IsConnected() {
		return ErrDisconnected
	}
	return nil
}

// Publish implements bus.Bus. It never fails: messages that cannot be sent are dropped and counted.
func (b *Bus) Publish(subject string, data []byte) error {
	_ = b.local.Publish(subject, data) // never fails
	if !b.out.publish(subject, data) {
		b.metrics.full.Inc()
	}
	return nil
}

// Subscribe implements bus.Bus. It never fails.
func (b *Bus) Subscribe(subject string, fn func(bus.Message)) (func(), error) {
	unsubscribe, err := b.local.Subscribe(subject, fn)
	if err != nil {
		return nil, err
	}
	b.out.follow(subject)
	var once sync.Once
	return func() {
		unsubscribe()
		once.Do(func() { b.out.unfollow(subject) })
	}, nil
}

// receive delivers messages from NATS to local subscribers. It never waits for them.
func (b *Bus) receive() {
	for {
		select {
		case m := <-b.in:
			b.metrics.received.Inc()
			_ = b.local.Publish(m.Subject[len(b.prefix):], m.Data) // never fails
		case <-b.closed:
			return
		}
	}
}

// send writes queued messages until the queue is closed and empty.
func (b *Bus) send() {
	defer close(b.out.ended)
	following := make(map[string]*nats.Subscription)
	for {
		changes, news, more := b.out.take()
		for subject, follow := range changes {
			b.follow(following, subject, follow)
		}
		for _, m := range news {
			if err := b.nc.Publish(b.prefix+m.Subject, m.Data); err != nil {
				b.metrics.unsent.Inc()
				continue
			}
			b.metrics.published.Inc()
		}
		if !more {
			return
		}
	}
}

func (b *Bus) follow(following map[string]*nats.Subscription, subject string, follow bool) {
	sub := following[subject]
	var err error
	switch {
	case follow && sub == nil:
		if sub, err = b.nc.ChanSubscribe(b.prefix+subject, b.in); err == nil {
			following[subject] = sub
		}
	case !follow && sub != nil:
		delete(following, subject)
		err = sub.Unsubscribe()
	}
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		b.log.Error("follow a subject of the bus", "subject", subject, "err", err)
	}
}

// gap tells this node that messages may have been lost.
func (b *Bus) gap() { _ = b.local.Publish(bus.GapSubject, nil) } // never fails

func (b *Bus) onConnect(nc *nats.Conn) {
	b.refusal.Store("")
	b.log.Info("the NATS server is there", "server", nc.ConnectedUrlRedacted())
	b.gap()
}

func (b *Bus) onReconnect(nc *nats.Conn) {
	b.metrics.reconnects.Inc()
	b.onConnect(nc)
}

func (b *Bus) onDisconnect(_ *nats.Conn, err error) {
	if b.ctx.Err() == nil {
		b.log.Warn("the NATS server is away; this node works without the others until one answers", "err", err)
	}
}

// onRefused logs why a connection attempt failed, once for each reason.
func (b *Bus) onRefused(_ *nats.Conn, err error) {
	if why := err.Error(); b.ctx.Err() == nil && b.refusal.Swap(why) != any(why) {
		b.log.Warn("no NATS server takes this node in; it works without the others and tries again", "err", err)
	}
}

func (b *Bus) onError(_ *nats.Conn, sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) {
		b.metrics.slow.Inc()
		// A gap causes more work, so a slow node is told of one at most once a second.
		if now := time.Now().UnixNano(); now-b.slow.Load() > int64(time.Second) {
			b.slow.Store(now)
			b.gap()
		}
		return
	}
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	b.log.Error("NATS", "subject", subject, "err", err)
}

// onLameDuck leaves a server that is about to stop, if there are others. The nodes of a cluster do
// so one after another.
func (b *Bus) onLameDuck(nc *nats.Conn) {
	if len(nc.Servers()) < 2 {
		b.log.Warn("the NATS server is about to stop, and no other is known")
		return
	}
	b.log.Info("the NATS server is about to stop; going to another", "server", nc.ConnectedUrlRedacted())
	time.AfterFunc(rand.N(time.Second), func() {
		if err := nc.ForceReconnect(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			b.log.Warn("go to another NATS server", "err", err)
		}
	})
}

// Dropped returns the number of messages that were not delivered to a subscriber here because it
// was too slow.
func (b *Bus) Dropped() int64 { return b.local.Dropped() }
