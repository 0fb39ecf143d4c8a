// Package dashboard is what rooms show of what their devices measure: charts that somebody posts, and a dashboard
// that the members arrange.
package dashboard

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Store stores what rooms show. It checks permissions in the transaction that makes the change.
type Store interface {
	PostChart(
		ctx context.Context, actor string, n domain.NewChart, line domain.ChartLine, now time.Time,
	) (domain.Event, error)
	Dashboard(ctx context.Context, room string) (domain.Dashboard, error)
	PutDashboard(
		ctx context.Context, actor string, d domain.Dashboard, now time.Time,
	) (domain.Dashboard, error)
}

// Rooms says who may read a room.
type Rooms interface {
	MayRead(ctx context.Context, p domain.Principal, room string) error
}

// Devices says who may see a device, and what it declares.
type Devices interface {
	MaySee(ctx context.Context, p domain.Principal, id string) (d domain.Device, mine bool, err error)
	Capabilities(ctx context.Context, device string) (domain.Capabilities, error)
}

// Readings sums up what a device has measured. Without names it chooses series that are numbers.
type Readings interface {
	Summary(ctx context.Context, device string, names []string, from, to time.Time) ([]domain.ChartSeries, error)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store    Store
	Devices  Devices
	Rooms    Rooms
	Readings Readings
	DiskFull func() error     // returns an error if the disk is nearly full; nil: no check
	Now      func() time.Time // nil: time.Now
}

// Service is the module of charts and dashboards of rooms.
type Service struct{ Deps }

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{d}
}

// PostChart posts a chart of a device to a room: of a span of time that ends now. Its figures are those of
// now, and stay. The same key from the same user returns the first event again.
func (s *Service) PostChart(ctx context.Context, p domain.Principal, n domain.NewChart) (domain.Event, error) {
	n, err := domain.CheckNewChart(n)
	if err != nil {
		return domain.Event{}, err
	}
	if _, _, err := s.Devices.MaySee(ctx, p, n.Device); err != nil {
		return domain.Event{}, err
	}
	if s.DiskFull != nil {
		if err := s.DiskFull(); err != nil {
			return domain.Event{}, err
		}
	}
	now := s.Now().UTC().Truncate(time.Millisecond)
	line := domain.ChartLine{From: now.Add(-n.Span), To: now}
	if line.Series, err = s.Readings.Summary(ctx, n.Device, n.Series, line.From, line.To); err != nil {
		return domain.Event{}, err
	}
	can, err := s.Devices.Capabilities(ctx, n.Device)
	if err != nil {
		return domain.Event{}, err
	}
	for i := range line.Series {
		of := &line.Series[i]
		for _, sensor := range can.Sensors {
			if sensor.Name == of.Name {
				of.Title = sensor.Title
			}
		}
	}
	return s.Store.PostChart(ctx, p.ID, n, line, now)
}

// Dashboard returns the dashboard of a room that p may read.
func (s *Service) Dashboard(ctx context.Context, p domain.Principal, room string) (domain.Dashboard, error) {
	if err := s.Rooms.MayRead(ctx, p, room); err != nil {
		return domain.Dashboard{}, err
	}
	return s.Store.Dashboard(ctx, room)
}

// Arrange replaces the tiles of a room's dashboard, of which p has seen a version.
func (s *Service) Arrange(ctx context.Context, p domain.Principal, d domain.Dashboard) (domain.Dashboard, error) {
	if err := domain.CheckRoomID(d.Room); err != nil {
		return d, err
	}
	if err := s.Rooms.MayRead(ctx, p, d.Room); err != nil {
		return d, err
	}
	var err error
	if d.Tiles, err = domain.CheckTiles(d.Tiles); err != nil {
		return d, err
	}
	if s.DiskFull != nil {
		if err := s.DiskFull(); err != nil {
			return d, err
		}
	}
	return s.Store.PutDashboard(ctx, p.ID, d, s.Now())
}
