// Package presence tracks who is online, away or offline, over all nodes and connections. It
// notifies connections that watch a user and share a room with them. It stores nothing but the
// time when a user was last seen. Connections that end, and nodes that time out, are removed.
// Whether a device is there is told by its status, which outlives its connections.
package presence

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// Users finds accounts and remembers when they were last seen.
type Users interface {
	UsersByID(ctx context.Context, ids []string) ([]domain.User, error)
	SetLastSeen(ctx context.Context, at map[string]time.Time) error
}

// Peers says who shares a room with whom.
type Peers interface {
	SharesRoom(ctx context.Context, user string, others []string) ([]string, error)
}

// Devices knows whether devices are there. Those that never connected are left out.
type Devices interface {
	Statuses(ctx context.Context, devices []string) ([]domain.DeviceStatus, error)
}

// Deps is what the service needs.
type Deps struct {
	Users   Users
	Devices Devices
	Peers   Peers
	Bus     bus.Bus
	Log     *slog.Logger
	Node    string           // name of this process among those on the bus; empty: made up
	Now     func() time.Time // nil: time.Now
}

const (
	batchWindow       = 250 * time.Millisecond // in which changes are collected into one notice
	offlineDelay      = 3 * time.Second        // from the end of the last connection until a user is offline
	heartbeatInterval = 3 * time.Second        // between heartbeats of a node
	nodeTimeout       = 9 * time.Second        // without a heartbeat; checked at each heartbeat
	storeTimeout      = 10 * time.Second
)

// Service is the presence service. It publishes changes while Run runs.
type Service struct {
	Deps
	sendMu      sync.Mutex // held while a notice is built and published; locked before mu
	sentNotices int64      // number of the last notice of this node

	mu       sync.Mutex
	conns    map[string]*conn
	people   map[string]*person        // connected here
	watchers map[string]map[*conn]bool // by the user that they watch
	reports  map[string][]nodeReport   // by user: the reports of all nodes, this one included
	nodes    map[string]*node          // that sent notices, this one included
	changed  map[string]bool           // users whose state is to be published
	seen     map[string]time.Time      // to be stored
	wake     chan struct{}
}

// conn is one connection.
type conn struct {
	user     string
	active   bool
	deliver  func(frame []byte)
	watching []string
}

// nodeReport is the state of a user on one node.
type nodeReport struct {
	node   string
	is     domain.Availability
	status domain.Status
}

// person is a user who has, or a moment ago had, a connection to this node.
type person struct {
	status domain.Status
	conns  []*conn   // nearly always one
	left   time.Time // when the last connection ended; zero: connected
}

// New returns a service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Node == "" {
		d.Node = domain.NewID("node")
	}
	return &Service{
		Deps: d, conns: make(map[string]*conn), people: make(map[string]*person), watchers: make(map[string]map[*conn]bool),
		reports: make(map[string][]nodeReport), nodes: make(map[string]*node),
		changed: make(map[string]bool), seen: make(map[string]time.Time), wake: make(chan struct{}, 1),
	}
}

// Connect adds a connection of u. deliver receives the frames about the users that it watches.
// The connection is active until SetActive says otherwise.
func (s *Service) Connect(id string, u domain.User, deliver func(frame []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &conn{user: u.ID, active: true, deliver: deliver}
	s.conns[id] = c
	p := s.people[u.ID]
	if p == nil {
		p = &person{}
		s.people[u.ID] = p
	}
	p.conns, p.status, p.left = append(p.conns, c), u.Status, time.Time{}
	s.markChanged(u.ID)
}

// Disconnect removes a connection.
func (s *Service) Disconnect(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conns[id]
	if c == nil {
		return
	}
	delete(s.conns, id)
	s.unwatch(c)
	p := s.people[c.user]
	p.conns = slices.DeleteFunc(p.conns, func(x *conn) bool { return x == c })
	if len(p.conns) == 0 {
		p.left = s.Now()
		if p.status.Mode != domain.Invisible { // a last-seen time would reveal them
			s.seen[c.user] = p.left
		}
	}
	s.markChanged(c.user)
}

// Active reports whether a user is at one of their devices, on any node, and has used it within the last minutes.
func (s *Service) Active(user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.reports[user], func(r nodeReport) bool { return r.is == domain.Online })
}

// SetActive says whether the user of a connection is active or away.
func (s *Service) SetActive(id string, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.conns[id]; c != nil && c.active != active {
		c.active = active
		s.markChanged(c.user)
	}
}

// markChanged marks a user's state for publishing. Of a device nothing is to be published here.
func (s *Service) markChanged(user string) {
	if isDevice(user) {
		if p := s.people[user]; p != nil && len(p.conns) == 0 {
			delete(s.people, user)
		}
		return
	}
	s.changed[user] = true
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run publishes changes and stores last-seen times until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	stop, err := s.Bus.Subscribe(bus.PresenceSubject, s.onBus)
	if err != nil {
		return err
	}
	defer stop()
	stopGaps, err := s.Bus.Subscribe(bus.GapSubject, func(bus.Message) { s.requestState(""); s.publishAll() })
	if err != nil {
		return err
	}
	defer stopGaps()
	tick := time.NewTicker(heartbeatInterval)
	defer tick.Stop()
	s.requestState("")
	looked := s.Now()
	for {
		select {
		case <-ctx.Done():
			s.leave()
			return nil
		case <-tick.C:
			s.publish(notice{})
			s.dropSilentNodes()
			s.storeLastSeen(ctx)
			s.publishChanged()
			now := s.Now()
			s.expireStatuses(looked, now)
			looked = now
		case <-s.wake:
			select { // collect further changes
			case <-time.After(batchWindow):
			case <-ctx.Done():
			}
			s.publishChanged()
		}
	}
}

// storeLastSeen stores when users were last seen. After an error it keeps them for the next call.
func (s *Service) storeLastSeen(ctx context.Context) {
	s.mu.Lock()
	batch := s.seen
	s.seen = make(map[string]time.Time)
	s.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := s.Users.SetLastSeen(ctx, batch); err != nil {
		s.Log.WarnContext(ctx, "cannot store who was last seen when; will try again", "people", len(batch), "err", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		for user, at := range batch {
			if s.seen[user].Before(at) {
				s.seen[user] = at
			}
		}
	}
}

// leave tells other nodes that this one stops, and stores last-seen times of its users.
func (s *Service) leave() {
	now := s.Now()
	s.mu.Lock()
	for user, p := range s.people {
		if len(p.conns) > 0 && p.status.Mode != domain.Invisible {
			s.seen[user] = now
		}
	}
	s.mu.Unlock()
	s.publish(notice{Gone: true})
	s.storeLastSeen(context.Background())
}
