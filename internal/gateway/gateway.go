// Package gateway holds the WebSocket connections: it lets them in, takes their
// requests, and lets none of them hold up another. It is a transport of the hub,
// which hands each connection the events of its rooms, once, in order and without
// gaps.
//
// An event's bytes are shared by all connections. Each has a queue bounded in bytes
// (queue.go) and no goroutine, nor any buffer, for writing while it is silent.
package gateway

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/hub"
	"github.com/unhidra/unhidra/internal/ratelimit"
	"github.com/unhidra/unhidra/internal/trace"
	"github.com/unhidra/unhidra/internal/wire"
)

// Authenticator says whose an access token is.
type Authenticator interface {
	Authenticate(ctx context.Context, bearer string) (domain.Principal, error)
}

// Devices knows devices by their keys, and is told when they come and go.
type Devices interface {
	AuthenticateDevice(ctx context.Context, key string, from netip.Addr) (domain.Principal, error)
	AuthenticateCertificate(ctx context.Context, cert *x509.Certificate, from netip.Addr) (domain.Principal, error)
	DeviceConnected(ctx context.Context, conn string, p domain.Principal, from netip.Addr, heard func() time.Time)
	DeviceRenewed(ctx context.Context, conn string, p domain.Principal)
	DeviceDisconnected(ctx context.Context, conn, because string)
	Note(device string, n domain.DeviceNote)
	// Describe takes what the device p says about itself.
	Describe(ctx context.Context, p domain.Principal, c domain.Capabilities) error
	// Leaves takes that the device p will be away for some time, on purpose.
	Leaves(ctx context.Context, p domain.Principal, reason string, backIn time.Duration) error
}

// Settings has devices told what is to be set on them, and takes what they say to that.
type Settings interface {
	// Attach tells a connection of a device what is to be set, until detach is called.
	Attach(ctx context.Context, device string, deliver func(domain.Shadow)) (detach func())
	Desired(ctx context.Context, p domain.Principal) (domain.Shadow, error)
	Report(ctx context.Context, p domain.Principal, r domain.SettingsReport) error
}

// Commands takes what people tell devices to do, and what devices say to that.
type Commands interface {
	Give(ctx context.Context, p domain.Principal, n domain.NewCommand) (domain.Command, error)
	Report(ctx context.Context, p domain.Principal, r domain.CommandReport) error
	Open(ctx context.Context, p domain.Principal) ([]domain.Command, error)
	// Attach delivers commands to a connection of a device, until detach is called.
	Attach(ctx context.Context, device string, deliver func(domain.Command)) (detach func())
}

// Updates has devices told of updates of their firmware, and takes what they say of it. What it gets is
// checked as far as one can without the store.
type Updates interface {
	// Attach tells a connection of a device of updates, until detach is called. deliver does not block. nonce returns
	// the one that an offer must have.
	Attach(device string, nonce func() string, deliver func(domain.FirmwareOffer)) (detach func())
	Report(ctx context.Context, p domain.Principal, r domain.FirmwareReport) error
	Progress(ctx context.Context, p domain.Principal, r domain.FirmwareProgress) (domain.FirmwareAnswer, error)
	Crash(ctx context.Context, p domain.Principal, r domain.CrashReport) error
}

// Images reads the images and patches of updates.
type Images interface {
	// ReadUpdate returns what the device p asks for: a part of a file of an update that it was offered.
	ReadUpdate(ctx context.Context, p domain.Principal, to netip.Addr, r domain.FirmwareRead) ([]byte, error)
}

// Chat writes to rooms.
type Chat interface {
	Send(ctx context.Context, p domain.Principal, d domain.Draft) (domain.Event, error)
	// MayWrite refuses those who may not send into a room now.
	MayWrite(ctx context.Context, p domain.Principal, room string) error
	Edit(ctx context.Context, p domain.Principal, room string, seq int64, text string) (domain.Event, error)
	Delete(ctx context.Context, p domain.Principal, room string, seq int64) (domain.Event, error)
	MarkThread(
		ctx context.Context, p domain.Principal, room string, root, seq int64,
	) (domain.ThreadState, error)
	React(ctx context.Context, p domain.Principal, r domain.Reacting) (wire.Reacted, error)
	MarkRead(ctx context.Context, p domain.Principal, room string, seq int64, main bool) (domain.ReadMark, error)
}

// Rooms says what a user is greeted with.
type Rooms interface {
	Greeting(ctx context.Context, user string) (domain.Greeting, error)
}

// Log reads rooms' logs.
type Log interface {
	// Replay returns the events after a sequence number, in order.
	Replay(ctx context.Context, v domain.View, after int64, limit int) ([]domain.Event, error)
	// Heads returns the last sequence number of each room that exists.
	Heads(ctx context.Context, rooms []string) (map[string]int64, error)
}

// Users finds accounts.
type Users interface {
	UsersByID(ctx context.Context, ids []string) ([]domain.User, error)
}

// Presence is told who is connected, and tells connections of others. What
// deliver gets is an encoded frame.
type Presence interface {
	Connect(conn string, u domain.User, deliver func(frame []byte))
	Disconnect(conn string)
	SetActive(conn string, active bool)
	Watch(ctx context.Context, conn string, users []string) ([]domain.Presence, error)
}

// Readings takes what devices measure, and tells connections of it. What deliver gets is an encoded
// frame.
type Readings interface {
	Report(ctx context.Context, p domain.Principal, r wire.Report) (wire.Reported, error)
	Watch(
		ctx context.Context, conn string, p domain.Principal, devices []string, deliver func(frame []byte),
	) ([]wire.DeviceReadings, error)
	Unwatch(conn string)
}

// Limits bound what one address, one user and one connection may do. A zero
// means no limit.
type Limits struct {
	HandshakesPerAddr int // a minute, that were refused; an IPv6 address counts as its /64
	HandshakesPerUser int // a minute
	ConnsPerAddr      int
	ConnsPerUser      int
	MessagesPerSec    int // of one connection; a user has twice as many over all connections
	Queue             int // bytes that wait for one slow reader; 0: 1 MiB
}

// Deps is what the gateway needs.
type Deps struct {
	Auth       Authenticator
	Devices    Devices // nil: none can connect
	Commands   Commands
	Settings   Settings
	Updates    Updates // nil: devices are not updated
	Images     Images  // nil: they are not updated by firmware.read
	Chat       Chat
	Rooms      Rooms
	RoomLog    Log
	Users      Users
	Presence   Presence
	Readings   Readings
	Hub        *hub.Hub
	Bus        bus.Bus
	Log        *slog.Logger
	Metrics    prometheus.Registerer            // nil: none
	ClientAddr func(r *http.Request) netip.Addr // nil: the peer's
	Secure     func(r *http.Request) bool       // whether nobody can listen to r; nil: does not matter
	Now        func() time.Time                 // nil: time.Now
	Version    string                           // told to clients
	Origins    []string                         // whose pages may connect, beside those of the host that is asked
	Limits     Limits
	Trace      *trace.Tracer // nil: off
	TraceShare float64       // of the requests that web clients trace
	Drain      time.Duration // over how long connections are closed at the end
	Others     bool          // other nodes are there for those whose connections are closed
	Age        time.Duration // how old a connection gets, at most; 0: as old as it likes
}

// Service is the gateway.
type Service struct {
	Deps
	metrics  *metrics
	conns    admission
	flushers flushers
	format   hub.Format

	byAddr, byUser             *ratelimit.Limiter // handshakes
	messages, requests, typing *ratelimit.Limiter // of one user, over all connections
	perConn                    ratelimit.Rate     // messages of one connection
	deviceRequests             *ratelimit.Limiter // of all devices of one owner

	volume    *ratelimit.Limiter // of frames of every kind, by who sends them
	perVolume ratelimit.Rate     // the same of one connection

	listening   chan struct{} // closed once revocations and the hub's news are heard
	draining    atomic.Bool
	revocations atomic.Int64 // how many there have been
}

const (
	defaultQueue = 1 << 20
	heartbeat    = 25 * time.Second
	deadAfter    = 2 * heartbeat
	tokenGrace   = 30 * time.Second // after a token's end
	requestTime  = 15 * time.Second
)

// New returns a gateway. It serves connections while Run runs; those that come
// earlier wait for that.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Limits.Queue == 0 {
		d.Limits.Queue = defaultQueue
	}
	if d.ClientAddr == nil {
		d.ClientAddr = peerAddr
	}
	l := d.Limits
	g := &Service{
		Deps:     d,
		byAddr:   ratelimit.New(l.HandshakesPerAddr, time.Minute, l.HandshakesPerAddr),
		byUser:   ratelimit.New(l.HandshakesPerUser, time.Minute, l.HandshakesPerUser),
		messages: ratelimit.New(2*l.MessagesPerSec, time.Second, 4*l.MessagesPerSec),
		requests: ratelimit.New(2*requestsPerSec, time.Second, 4*requestsPerSec),
		typing:   ratelimit.New(2*typingPerSec, time.Second, 6*typingPerSec),
		// After an outage all devices of an owner come at once.
		deviceRequests: ratelimit.New(10*requestsPerSec, time.Second, 40*requestsPerSec),
		perConn:        ratelimit.NewRate(l.MessagesPerSec, time.Second, 2*l.MessagesPerSec),
		volume: ratelimit.New(2*volumePerSec(l.MessagesPerSec), time.Second,
			2*volumeBurst*volumePerSec(l.MessagesPerSec)),
		perVolume: ratelimit.NewRate(volumePerSec(l.MessagesPerSec), time.Second, volumeBurst*volumePerSec(l.MessagesPerSec)),
		listening: make(chan struct{}),
	}
	g.conns.init(l.ConnsPerAddr)
	g.flushers.init()
	g.format = format{&g.flushers}
	g.metrics = newMetrics(d.Metrics, g)
	return g
}

// Run keeps the connections alive, and ends them when ctx does: each is sent what
// waits for it and the time to come back after. It is called once.
func (g *Service) Run(ctx context.Context) error {
	stop, err := g.Bus.Subscribe(bus.RevokeSubject, g.onRevoke)
	if err != nil {
		return err
	}
	defer stop()
	select {
	case <-g.Hub.Listening(): // else clients might miss what they are told of
	case <-ctx.Done():
		return nil
	}
	close(g.listening)
	var wg sync.WaitGroup
	work, done := context.WithCancel(context.WithoutCancel(ctx))
	g.flushers.start(work, &wg)
	wg.Go(func() { g.sweepLoop(work) })
	<-ctx.Done()
	g.drain()
	done()
	wg.Wait()
	return nil
}

// onRevoke ends the connections of revoked sessions and devices.
func (g *Service) onRevoke(m bus.Message) {
	var r bus.Revocation
	if err := json.Unmarshal(m.Data, &r); err != nil {
		g.Log.Error("revocation that is not understood", "err", err)
		return
	}
	g.revocations.Add(1)
	if r.Device != "" {
		for _, c := range g.connsOf(r.Device) {
			if r.Key == "" || c.who().Key == r.Key {
				c.revoke(r.Reason)
			}
		}
		return
	}
	for _, c := range g.connsOf(r.User) {
		p := c.who()
		if r.Session != "" && p.SessionID != r.Session {
			continue
		}
		if r.Session == "" && r.Epoch != 0 && p.Epoch >= r.Epoch {
			continue
		}
		c.revoke(r.Reason)
	}
}
