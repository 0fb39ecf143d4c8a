package alarm

import (
	"context"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// AddMaintenance adds a window of p in which alarms of their devices are not posted.
func (s *Service) AddMaintenance(
	ctx context.Context, p domain.Principal, m domain.Maintenance,
) (domain.Maintenance, error) {
	if m.Scope.Device != "" {
		if err := s.owns(ctx, p, m.Scope.Device); err != nil {
			return m, err
		}
	}
	m, err := domain.CheckMaintenance(m, s.Now())
	if err != nil {
		return m, err
	}
	m.ID, m.Owner, m.CreatedAt = domain.NewID(domain.MaintenancePrefix), p.ID, s.Now()
	if err := s.Store.AddMaintenance(ctx, m); err != nil {
		return m, err
	}
	s.record(ctx, p, domain.AuditAlarmRule, m.Scope.Device, map[string]string{"maintenance": m.ID, "name": m.Name})
	return m, nil
}

// Window is a maintenance window as it is sent.
type Window struct {
	Name     string     `json:"name" example:"New pump"`
	Device   string     `json:"device,omitempty" maxLength:"64" doc:"absent: any of your devices"`
	Type     string     `json:"type,omitempty" maxLength:"64" doc:"of devices; absent: any"`
	Tag      string     `json:"tag,omitempty" maxLength:"64" doc:"of devices; absent: any"`
	Group    string     `json:"device_group,omitempty" maxLength:"32" doc:"instead: a group of yours made by hand"`
	From     *time.Time `json:"from,omitempty" doc:"once; absent: each week"`
	To       *time.Time `json:"to,omitempty"`
	Weekdays []int      `json:"weekdays,omitempty" maxItems:"7" doc:"on which it begins: 1 is Monday, 7 Sunday"`
	Start    string     `json:"start,omitempty" pattern:"^[0-2][0-9]:[0-5][0-9]$" example:"02:30" doc:"by clocks in the zone"`
	Minutes  int        `json:"minutes,omitempty" minimum:"0" maximum:"1440" doc:"how long it lasts"`
	Zone     string     `json:"zone,omitempty" maxLength:"64" example:"Europe/Berlin"`
}

// shownWindow is a maintenance window as the API shows it.
type shownWindow struct {
	ID string `json:"id"`
	Window
	ActiveUntil *time.Time `json:"active_until,omitempty" doc:"it lasts now, until then; absent: it does not"`
	CreatedAt   time.Time  `json:"created_at"`
}

func (w Window) value() domain.Maintenance {
	m := domain.Maintenance{Name: w.Name, Zone: w.Zone, Length: time.Duration(w.Minutes) * time.Minute,
		Scope: domain.DeviceScope{Device: w.Device, Type: w.Type, Tag: w.Tag, Group: w.Group}}
	if w.From != nil {
		m.From = *w.From
	}
	if w.To != nil {
		m.To = *w.To
	}
	for _, day := range w.Weekdays {
		switch day {
		case 7:
			day = 0
		case 0:
			day = 7 // which CheckMaintenance refuses
		}
		m.Weekdays = append(m.Weekdays, time.Weekday(day))
	}
	if t, err := time.Parse("15:04", w.Start); err == nil {
		m.Start = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	} else if len(m.Weekdays) > 0 {
		m.Start = -1 // refused as well
	}
	return m
}

func viewWindow(m domain.Maintenance, now time.Time) shownWindow {
	v := shownWindow{ID: m.ID, CreatedAt: m.CreatedAt,
		Window: Window{Name: m.Name, Device: m.Scope.Device, Type: m.Scope.Type, Tag: m.Scope.Tag,
			Group: m.Scope.Group}}
	if until, active := m.Active(now); active {
		v.ActiveUntil = &until
	}
	if !m.To.IsZero() {
		v.From, v.To = &m.From, &m.To
		return v
	}
	for _, day := range m.Weekdays {
		v.Weekdays = append(v.Weekdays, (int(day)+6)%7+1)
	}
	v.Start = fmt.Sprintf("%02d:%02d", int(m.Start/time.Hour), int(m.Start%time.Hour/time.Minute))
	v.Minutes, v.Zone = int(m.Length/time.Minute), m.Zone
	return v
}

type windowsOutput struct {
	Body struct {
		Items []shownWindow `json:"items" nullable:"false"`
	}
}

// windows returns those windows of an owner that are for a device; all if d is nil.
func (s *Service) windows(ctx context.Context, owner string, d *domain.Device) (*windowsOutput, error) {
	all, err := s.Store.Maintenance(ctx, owner)
	if err != nil {
		return nil, err
	}
	if d != nil {
		if d.Groups, err = s.Store.GroupsOf(ctx, owner, d.ID); err != nil {
			return nil, err
		}
	}
	out := &windowsOutput{}
	out.Body.Items = []shownWindow{}
	for _, m := range all {
		if d == nil || m.Scope.Fits(*d) {
			out.Body.Items = append(out.Body.Items, viewWindow(m, s.Now()))
		}
	}
	return out, nil
}

func (s *Service) listMaintenance(ctx context.Context, _ *struct{}) (*windowsOutput, error) {
	return s.windows(ctx, httpx.Principal(ctx).ID, nil)
}

func (s *Service) listDeviceMaintenance(ctx context.Context, in *OnDevice) (*windowsOutput, error) {
	d, _, err := s.Devices.MaySee(ctx, httpx.Principal(ctx), in.Device)
	if err != nil {
		return nil, err
	}
	return s.windows(ctx, d.Owner.ID, &d)
}

func (s *Service) postMaintenance(ctx context.Context, in *struct{ Body Window }) (*struct{ Body shownWindow }, error) {
	m, err := s.AddMaintenance(ctx, httpx.Principal(ctx), in.Body.value())
	if err != nil {
		return nil, err
	}
	return &struct{ Body shownWindow }{viewWindow(m, s.Now())}, nil
}

func (s *Service) deleteMaintenance(ctx context.Context, in *struct {
	Window string `path:"window" maxLength:"64"`
}) (*struct{}, error) {
	p := httpx.Principal(ctx)
	if err := s.Store.DeleteMaintenance(ctx, p.ID, in.Window, s.Now()); err != nil {
		return nil, err
	}
	s.record(ctx, p, domain.AuditAlarmRule, "", map[string]string{"maintenance": in.Window, "deleted": "true"})
	return nil, nil
}
