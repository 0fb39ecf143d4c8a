// Package hub delivers live what happens in rooms, and what is said to users, to
// members: connections or sessions of any transport. It knows no socket.
//
// A room's log is the truth, and the bus only says early what is in it. While a
// member of a room is here, the hub listens to the room's subject on the bus,
// compares sequence numbers, and reads from the log whatever the bus has lost. Each
// member gets every event that follows its snapshot, in order, without gaps.
//
// An event is encoded once for each format, and its bytes are shared by all members
// of that format. The hub waits neither for a member (each has a bounded queue) nor,
// while it holds a lock, for the store or for presence.
package hub

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/trace"
)

// Rooms says which rooms a user is in.
type Rooms interface {
	RoomState(ctx context.Context, user, room string) (domain.RoomState, error)
	// JoinedSince returns who came into which room since a time.
	JoinedSince(ctx context.Context, since time.Time) ([]domain.Member, error)
	// SharesRoom returns those of others who are in a room with the user.
	SharesRoom(ctx context.Context, user string, others []string) ([]string, error)
}

// Log reads rooms' logs.
type Log interface {
	// Replay returns the events after a sequence number, in order.
	Replay(ctx context.Context, v domain.View, after int64, limit int) ([]domain.Event, error)
	// Heads returns the last sequence number of each room that exists.
	Heads(ctx context.Context, rooms []string) (map[string]int64, error)
}

// Presence is told when a user is no longer in a room: others may have to stop
// watching them. It may ask the store. If it cannot before ctx ends, it assumes
// that the user shares no room with anybody.
type Presence interface {
	OnLeft(ctx context.Context, user string)
}

// Deps is what a hub needs.
type Deps struct {
	Rooms    Rooms
	RoomLog  Log
	Presence Presence
	Bus      bus.Bus
	Log      *slog.Logger
	Metrics  prometheus.Registerer // nil: none
	Now      func() time.Time      // nil: time.Now
	Trace    *trace.Tracer         // nil: off
}

// Hub is the live delivery of one node.
type Hub struct {
	Deps
	metrics    *metrics
	users      sharded[*user]
	rooms      rooms
	batches    sync.Pool
	reads      workQueue[*room]  // rooms that are behind their log
	departures workQueue[string] // users that presence is to be told of

	listening   chan struct{} // closed once profiles and gaps are heard
	newRooms    newRooms
	compareSoon chan struct{} // asks for an early comparison of heads
}

const (
	storeTime     = 15 * time.Second // for one question to the store
	readers       = 8                // rooms whose logs are read at a time
	maxDepartures = 4096             // users that wait for presence
)

// New returns a hub. Members can be added at once; Run must run for them to hear
// what the bus loses.
func New(d Deps) *Hub {
	if d.Now == nil {
		d.Now = time.Now
	}
	h := &Hub{Deps: d, compareSoon: make(chan struct{}, 1), listening: make(chan struct{})}
	h.users.init()
	h.rooms.hub = h
	h.rooms.init()
	h.newRooms.init()
	h.batches.New = func() any { return &Batch{pool: &h.batches} }
	h.reads = workQueue[*room]{workers: readers, do: (*room).read}
	h.departures = workQueue[string]{workers: 1, limit: maxDepartures, do: h.tellPresence}
	h.metrics = newMetrics(d.Metrics, h)
	return h
}

// Run compares what was delivered with the log, every few seconds, until ctx ends.
// It is called once.
func (h *Hub) Run(ctx context.Context) error {
	stopProfiles, err := h.Bus.Subscribe(bus.ProfileSubject, h.onProfile)
	if err != nil {
		return err
	}
	defer stopProfiles()
	stopNews, err := h.Bus.Subscribe(bus.NewsSubject, h.onNews)
	if err != nil {
		return err
	}
	defer stopNews()
	stopGaps, err := h.Bus.Subscribe(bus.GapSubject, func(bus.Message) { h.CompareSoon() })
	if err != nil {
		return err
	}
	defer stopGaps()
	close(h.listening)
	h.compareLoop(ctx)
	return nil
}

// Listening is closed once Run hears all that members are told of.
func (h *Hub) Listening() <-chan struct{} { return h.listening }

// left has presence told, soon, that a user is no longer in a room.
func (h *Hub) left(user string) {
	if h.departures.add(user) {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // no time to ask whether they share another room
	go h.Presence.OnLeft(ctx, user)
}

func (h *Hub) tellPresence(user string) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	h.Presence.OnLeft(ctx, user)
}

// Queues are where work of the hub waits.
func (h *Hub) Queues() []obs.Queue {
	return []obs.Queue{{Name: "departures", Limit: maxDepartures, Depth: h.departures.len, Full: h.departures.full.Load}}
}
