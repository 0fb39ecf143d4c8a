package alarm

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

const greenhouse = "dev_00000000000000000000000001"

// garden is a device in a room of its owner and another, with alarms that post there, and a clock.
type garden struct {
	*Service
	db   *all.Store
	room string
	now  time.Time
	away time.Time // until when the device is away on purpose
	last time.Time // when the device last measured something, as the store has it
	ask  func()    // is called when the store is asked for that; nil: nothing is
}

func (g *garden) MaySee(_ context.Context, p domain.Principal, id string) (domain.Device, bool, error) {
	return domain.Device{ID: id, Owner: domain.UserRef{ID: owner.ID}}, p.ID == owner.ID || p.IsAdmin(), nil
}

func (g *garden) Capabilities(context.Context, string) (domain.Capabilities, error) {
	return domain.Capabilities{Heartbeat: 60}, nil
}

func (g *garden) AwayUntil(context.Context, string) (time.Time, error) { return g.away, nil }

func (g *garden) Record(context.Context, domain.AuditEvent) {}

// MayRead and MayWrite let in all but administrators, who are in no room here.
func (g *garden) MayRead(_ context.Context, p domain.Principal, _ string) error {
	if p.IsAdmin() {
		return domain.ErrNoRoom()
	}
	return nil
}

func (g *garden) MayWrite(ctx context.Context, p domain.Principal, room string) error {
	return g.MayRead(ctx, p, room)
}

func (g *garden) Series(context.Context, string) ([]domain.Series, error) {
	if g.ask != nil {
		g.ask()
	}
	return []domain.Series{{Name: "temperature", LastAt: g.last}}, nil
}

// node is one more process on the same store.
func (g *garden) node(t *testing.T) *Service {
	t.Helper()
	s := New(Deps{Store: g.db.Alarms, Devices: g, Rooms: g, Readings: g, Bus: bus.NewLocal(), Log: testkit.Logger(t),
		Audit: g,
		Now:   func() time.Time { return g.now }})
	if err := s.loadAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func newGarden(t *testing.T, db *all.Store) *garden {
	t.Helper()
	g := &garden{db: db, now: time.Now().Truncate(time.Second)}
	g.room = testkit.Room(t, db, 2)
	d := domain.Device{ID: greenhouse, Owner: domain.UserRef{ID: testkit.UserID(0)}, Name: "Greenhouse"}
	err := db.Devices.CreateDevice(t.Context(), d, domain.DeviceKey{ID: "key", Device: greenhouse},
		domain.DeviceSecret{Hash: []byte{1}}, nil, 0, g.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Rooms.AddMember(t.Context(), testkit.UserID(0), g.room, greenhouse, g.now); err != nil {
		t.Fatal(err)
	}
	g.Service = g.node(t)
	return g
}

var owner = domain.Principal{ID: testkit.UserID(0), Kind: domain.KindUser}

func (g *garden) rule(t *testing.T, r domain.AlarmRule) domain.AlarmRule {
	t.Helper()
	r.Device, r.Name, r.Room = greenhouse, "Too warm", g.room
	r, err := g.CreateRule(t.Context(), owner, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.load(t.Context(), greenhouse); err != nil {
		t.Fatal(err)
	}
	return r
}

// reads has the device report a value, after some time.
func (g *garden) reads(t *testing.T, after time.Duration, v float64, nodes ...*Service) {
	t.Helper()
	g.now = g.now.Add(after)
	g.last = g.now
	reports := []domain.Report{{At: g.now, Readings: []domain.Reading{{Name: "temperature", Value: domain.Number(v)}}}}
	for _, s := range append(nodes, g.Service) {
		s.judge(t.Context(), observation{greenhouse, reports, s.Now()})
	}
}

// posted returns what the room was told, without what came before.
func (g *garden) posted(t *testing.T) (types []domain.EventType) {
	t.Helper()
	events, err := g.db.Log.Replay(t.Context(), domain.WholeLog(g.room), 0, 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		switch e.Type {
		case domain.AlarmRaised, domain.AlarmCleared, domain.AlarmAcknowledged, domain.AlarmEscalated:
			types = append(types, e.Type)
		}
	}
	return types
}

func (g *garden) want(t *testing.T, what string, types ...domain.EventType) {
	t.Helper()
	if got := g.posted(t); !slices.Equal(got, types) {
		t.Errorf("%s: the room was told %v, want %v", what, got, types)
	}
}

const (
	raised  = domain.AlarmRaised
	cleared = domain.AlarmCleared
	acked   = domain.AlarmAcknowledged
)
