// Package mqtt serves MQTT 3.1.1 and 5.0 to devices, and to programs of their owners: over TCP,
// TLS and WebSocket. It is a transport beside the gateway. Who connects proves themselves with a
// device key or an access token, and the same limits, audit log and revocation apply.
//
// Every topic belongs to a site: the owner of the device. Sites never meet. Within one a device
// publishes to its own topics, and hears what the owner and the server say to it; docs/mqtt.md has
// the rules. Retained messages are in the store. A connection has one goroutine, which waits
// to read, and no buffer while nothing is read or written.
package mqtt

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/ratelimit"
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
	DeviceDisconnected(ctx context.Context, conn, because string)
	DeviceAvailable(conn, device string, available bool)
	DevicesBehind(conn string, there map[string]bool)
}

// Users finds accounts.
type Users interface {
	UsersByID(ctx context.Context, ids []string) ([]domain.User, error)
}

// Presence is told who is connected.
type Presence interface {
	Connect(conn string, u domain.User, deliver func(frame []byte))
	Disconnect(conn string)
}

// Topics keeps which device a topic belongs to, and the retained messages.
type Topics interface {
	// ClaimTopic gives a topic to a device unless another has it, and returns who has it. It fails
	// with too_large if the device has limit topics already.
	ClaimTopic(ctx context.Context, site, topic, device string, limit int) (holder string, err error)
	// RetainMessages stores messages, each in the place of the one before on its topic. One without
	// a payload deletes.
	RetainMessages(ctx context.Context, ms []domain.RetainedMessage) error
	// RetainedMessages returns those with a prefix, of topics after a topic, in their order.
	RetainedMessages(ctx context.Context, site, prefix, after string, limit int) ([]domain.RetainedMessage, error)
	// RetainedSizes returns the bytes of each retained message that a device has published.
	RetainedSizes(ctx context.Context, site, device string) (map[string]int, error)
	// ForgetTopics deletes what devices left behind that are gone for good, and what is over. It returns
	// the retained messages that are no more.
	ForgetTopics(ctx context.Context, now time.Time) ([]domain.RetainedMessage, error)
}

// Limits bound what one address, one principal and one connection may do. A zero means no limit.
type Limits struct {
	RefusedPerAddr  int // connections a minute that were refused
	ConnectsPerUser int // a minute, of one device or user
	ConnsPerAddr    int
	ConnsPerUser    int
	Queue           int // bytes that wait for one slow reader; 0: 1 MiB
}

// Deps is what the service needs.
type Deps struct {
	Auth       Authenticator
	Devices    Devices
	Users      Users
	Presence   Presence
	Topics     Topics
	Sessions   Sessions
	Readings   Readings
	Describer  Describer
	Settings   Settings
	Updates    Updates // nil: devices are not updated
	Images     Images  // nil: they are not updated over MQTT
	Loads      Loads   // nil: what they say over MQTT counts for no update over HTTP
	Commands   Commands
	Registry   Registry // nil: no announcements of the devices of this server
	Live       Live
	Bridges    Bridges // nil: all devices speak for themselves alone
	Orders     Orders
	Bus        bus.Bus
	Log        *slog.Logger
	Metrics    prometheus.Registerer            // nil: none
	ClientAddr func(r *http.Request) netip.Addr // of a WebSocket
	Now        func() time.Time                 // nil: time.Now
	Node       string                           // name of this process among those on the bus
	Limits     Limits
	Drain      time.Duration // over how long connections are closed at the end
	Others     bool          // there are other nodes
}

// Service serves MQTT.
type Service struct {
	Deps
	metrics  *metrics
	retainer retainer
	drops    drops
	work     background
	bad      badKeys
	byAddr   *ratelimit.Limiter // refused connections
	byUser   *ratelimit.Limiter // connections
	perConn  ratelimit.Rate     // messages of one connection
	perDebug ratelimit.Rate     // the same, of what a node logs
	open     *ratelimit.AddrCounter

	turns [64]sync.Mutex // held while a client connects, by its key: see turn
	seed  maphash.Seed

	mu       sync.Mutex
	conns    map[*conn]struct{}
	clients  map[string]*conn // by client key
	users    map[string]int   // connections of each principal
	sites    map[string]*site
	ended    map[string]bool // devices whose topics may be free, of which forgetLoop has not seen yet
	draining bool
	empty    chan struct{} // closed when draining and without connections

	forget      chan struct{} // a device is gone
	admitting   chan struct{} // has an entry for each client that is connected now
	listening   chan struct{} // closed once revocations are heard
	revocations atomic.Int64
}

const (
	connectTime  = 5 * time.Second  // for CONNECT, with the handshake of TLS before it
	admitTime    = 15 * time.Second // from CONNECT to CONNACK
	admitAtOnce  = 64               // clients that are connected at a time; so many share a commit
	closeTime    = 5 * time.Second  // for the other side to take what is last
	tokenGrace   = 30 * time.Second
	maxPreAuth   = 4 << 10
	maxPayload   = 64 << 10
	maxPacket    = maxPayload + 8<<10 // with topic and properties
	defaultQueue = 1 << 20

	messagesPerSec = 200 // of one connection; more is read later
	debugPerSec    = 20  // of a node's own log; more is dropped
)

// New returns the service. It serves connections while Run runs.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Limits.Queue == 0 {
		d.Limits.Queue = defaultQueue
	}
	l := d.Limits
	s := &Service{
		Deps:     d,
		byAddr:   ratelimit.New(l.RefusedPerAddr, time.Minute, l.RefusedPerAddr),
		byUser:   ratelimit.New(l.ConnectsPerUser, time.Minute, l.ConnectsPerUser),
		perConn:  ratelimit.NewRate(messagesPerSec, time.Second, 5*messagesPerSec),
		perDebug: ratelimit.NewRate(debugPerSec, time.Second, 5*debugPerSec),
		open:     ratelimit.NewAddrCounter(l.ConnsPerAddr),
		seed:     maphash.MakeSeed(),
		conns:    make(map[*conn]struct{}), clients: make(map[string]*conn), users: make(map[string]int),
		sites: make(map[string]*site),
		empty: make(chan struct{}), forget: make(chan struct{}, 1), listening: make(chan struct{}),
		admitting: make(chan struct{}, admitAtOnce),
	}
	s.retainer.init(d.Topics.RetainMessages)
	s.drops.init(d.Sessions.DropQueued, d.Log)
	s.metrics = newMetrics(d.Metrics, s)
	return s
}

// Run keeps the connections alive, and ends them when ctx does. When it returns, nothing that serves
// one runs any more. It is called once.
func (s *Service) Run(ctx context.Context) error {
	stop, err := s.Bus.Subscribe(bus.RevokeSubject, s.onRevoke)
	if err != nil {
		return err
	}
	defer stop()
	stopGaps, err := s.Bus.Subscribe(bus.GapSubject, func(bus.Message) { s.wakeAll() })
	if err != nil {
		return err
	}
	defer stopGaps()
	stopNews, err := s.Bus.Subscribe(bus.DescribedSubject, func(m bus.Message) { s.childChanged(string(m.Data), false) })
	if err != nil {
		return err
	}
	defer stopNews()
	close(s.listening)
	var wg sync.WaitGroup
	loops, done := context.WithCancel(context.WithoutCancel(ctx))
	wg.Go(func() { s.sweepLoop(loops) })
	wg.Go(func() { s.retainer.run(loops, s.Log) })
	wg.Go(func() { s.forgetLoop(loops) })
	wg.Go(func() { s.drops.run(loops) })
	<-ctx.Done()
	s.drain()
	s.work.end()
	done()
	wg.Wait()
	return nil
}

// wakeAll has all stored sessions look for what waits, because the bus may have lost who is to.
func (s *Service) wakeAll() {
	for _, c := range s.all() {
		if c.ready.Load() && c.sess.row.ID != "" {
			c.sess.wake()
		}
	}
}

// onRevoke ends the connections of revoked sessions and devices.
func (s *Service) onRevoke(m bus.Message) {
	var r bus.Revocation
	if json.Unmarshal(m.Data, &r) != nil {
		return // others report it
	}
	s.revocations.Add(1)
	if r.Device != "" && r.Key == "" {
		s.addEnded(r.Device)
		s.forgetSoon()
		s.work.after(wills, "forget "+r.Device, s.forgetSoon)
	}
	if r.Device != "" {
		s.childChanged(r.Device, r.Key == "")
		s.changed(r.Device)
	}
	for _, c := range s.all() {
		if c.ready.Load() && c.revokedBy(r) {
			c.kick(administrative, "revoked")
		}
	}
}

// addEnded has forgetLoop look whether the topics of a device are free.
func (s *Service) addEnded(device string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = make(map[string]bool)
	}
	s.ended[device] = true
}

// wills is how long after a revocation the will of a client is surely published, and what it sent last.
const wills = publishTime + closeTime

// forgetSoon has what devices that are gone left behind removed.
func (s *Service) forgetSoon() {
	select {
	case s.forget <- struct{}{}:
	default:
	}
}

// revokedBy reports whether r ends c.
func (c *conn) revokedBy(r bus.Revocation) bool {
	p := c.who
	if r.Device != "" {
		return p.ID == r.Device && (r.Key == "" || r.Key == p.Key)
	}
	if p.ID != r.User || p.Kind == domain.KindDevice {
		return false
	}
	if r.Session != "" {
		return r.Session == p.SessionID
	}
	return r.Epoch == 0 || p.Epoch < r.Epoch
}

// all returns the connections.
func (s *Service) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	return all
}

// turn returns the lock that a client with this key holds while it connects.
func (s *Service) turn(key string) *sync.Mutex {
	return &s.turns[maphash.String(s.seed, key)%uint64(len(s.turns))]
}
