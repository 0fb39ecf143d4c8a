// Package presence knows who is connected: online, away, or not at all, on any
// node and with any number of connections. It tells those who watch someone
// and share a room with them, when something changes. Nothing of it is stored
// but when someone was last seen; a connection that ends is forgotten, and so
// is a node that falls silent.
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

// Deps is what the service needs.
type Deps struct {
	Users Users
	Peers Peers
	Bus   bus.Bus
	Log   *slog.Logger
	Node  string           // name of this process among those on the bus; empty: made up
	Now   func() time.Time // nil: time.Now
}

const (
	window    = 250 * time.Millisecond // changes that are told together
	linger    = 3 * time.Second        // after the last connection, until someone is offline
	beat      = 3 * time.Second        // between signs of life of a node
	nodeDead  = 9 * time.Second        // without a sign of life; noticed a beat later
	storeTime = 10 * time.Second
)

// Service is the presence service. It tells of changes while Run runs.
type Service struct {
	Deps
	telling sync.Mutex // held while a notice is made and goes out; before mu
	said    int64      // notices of this node

	mu       sync.Mutex
	conns    map[string]*conn
	people   map[string]*person        // connected here
	watchers map[string]map[*conn]bool // by whom they watch
	remote   map[string][]heard        // by user, of each node where they are; this one too
	nodes    map[string]*node          // that were heard, this one too
	changed  map[string]bool           // people whose state is to be told
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

// heard is what a node has told of someone.
type heard struct {
	node   string
	is     domain.Availability
	status domain.Status
}

// person is someone with a connection here, or who had one a moment ago.
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
		remote: make(map[string][]heard), nodes: make(map[string]*node),
		changed: make(map[string]bool), seen: make(map[string]time.Time), wake: make(chan struct{}, 1),
	}
}

// Connect tells that u has a connection, which news about those it watches are
// delivered to. It counts as active until SetActive says otherwise.
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
	s.change(u.ID)
}

// Disconnect tells that a connection has ended.
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
		if p.status.Mode != domain.Invisible { // that would tell
			s.seen[c.user] = p.left
		}
	}
	s.change(c.user)
}

// SetActive tells whether the person at a connection is there, or went away.
func (s *Service) SetActive(id string, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.conns[id]; c != nil && c.active != active {
		c.active = active
		s.change(c.user)
	}
}

// change marks someone's state as one to be told.
func (s *Service) change(user string) {
	s.changed[user] = true
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run tells of changes until ctx ends, and stores who was last seen when.
func (s *Service) Run(ctx context.Context) error {
	stop, err := s.Bus.Subscribe(bus.PresenceSubject, s.onBus)
	if err != nil {
		return err
	}
	defer stop()
	stopGaps, err := s.Bus.Subscribe(bus.GapSubject, func(bus.Message) { s.ask(""); s.tellAll() })
	if err != nil {
		return err
	}
	defer stopGaps()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	s.ask("")
	looked := s.Now()
	for {
		select {
		case <-ctx.Done():
			s.farewell()
			return nil
		case <-tick.C:
			s.publish(notice{})
			s.forgetNodes()
			s.store(ctx)
			s.tell()
			now := s.Now()
			s.expire(looked, now)
			looked = now
		case <-s.wake:
			select { // gather what else changes
			case <-time.After(window):
			case <-ctx.Done():
			}
			s.tell()
		}
	}
}

// store writes down when people were last seen. What fails is tried again.
func (s *Service) store(ctx context.Context) {
	s.mu.Lock()
	batch := s.seen
	s.seen = make(map[string]time.Time)
	s.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if err := s.Users.SetLastSeen(ctx, batch); err != nil {
		s.Log.Warn("cannot store who was last seen when; will try again", "people", len(batch), "err", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		for user, at := range batch {
			if s.seen[user].Before(at) {
				s.seen[user] = at
			}
		}
	}
}

// farewell is the end of Run: everyone here is gone.
func (s *Service) farewell() {
	now := s.Now()
	s.mu.Lock()
	for user, p := range s.people {
		if len(p.conns) > 0 && p.status.Mode != domain.Invisible {
			s.seen[user] = now
		}
	}
	s.mu.Unlock()
	s.publish(notice{Gone: true})
	s.store(context.Background())
}
