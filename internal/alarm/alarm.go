// Package alarm watches what devices measure, raises alarms by rules, and posts them to rooms.
// Readings are judged in memory. The store has the rules and the alarms: an alarm is raised and
// posted in one transaction, and a rule has at most one that is not over, so that it is posted
// once, whatever happens to nodes. After a restart only the waiting for a rule's duration begins
// anew.
package alarm

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/obs"
)

// Store stores rules and alarms. It checks permissions in the transaction that makes the change.
type Store interface {
	Rules(ctx context.Context, device, after string, limit int) ([]domain.AlarmRule, error)
	Rule(ctx context.Context, device, id string) (domain.AlarmRule, error)
	PutRule(ctx context.Context, actor string, r domain.AlarmRule, now time.Time) error
	DeleteRule(ctx context.Context, device, id string, now time.Time) error
	Alarms(
		ctx context.Context, device, viewer string, open bool, before string, limit int,
	) ([]domain.Alarm, error)
	RoomAlarms(ctx context.Context, room string, open bool, before string, limit int) ([]domain.Alarm, error)
	Alarm(ctx context.Context, device, id string) (domain.Alarm, error)
	Open(ctx context.Context, device string) ([]domain.Alarm, error)
	Raise(
		ctx context.Context, rule domain.AlarmRule, a domain.Alarm, now time.Time,
	) (made domain.Alarm, raised bool, err error)
	Clear(ctx context.Context, device, rule string, now time.Time) (a domain.Alarm, cleared bool, err error)
	Change(
		ctx context.Context, actor, device, id string, c domain.AlarmChange, now time.Time,
	) (domain.Alarm, error)
	// Escalate posts alarms that are due, at most limit of them, and returns those with which it did something.
	Escalate(ctx context.Context, now time.Time, limit int) ([]domain.Alarm, error)
	Prune(ctx context.Context, before time.Time) (more bool, err error)
	GroupRules(ctx context.Context, owner string) ([]domain.ScopedRule, error)
	GroupRule(ctx context.Context, owner, id string) (domain.ScopedRule, error)
	// PutGroupRule, DeleteGroupRule and FollowGroups return the devices whose rules have changed.
	PutGroupRule(ctx context.Context, g domain.ScopedRule, now time.Time) ([]string, error)
	DeleteGroupRule(ctx context.Context, owner, id string, now time.Time) ([]string, error)
	FollowGroups(ctx context.Context, now time.Time) ([]string, error)
	Maintenance(ctx context.Context, owner string) ([]domain.Maintenance, error)
	// GroupsOf returns the names of the groups made by hand that a device of owner is in.
	GroupsOf(ctx context.Context, owner, device string) ([]string, error)
	AddMaintenance(ctx context.Context, m domain.Maintenance) error
	DeleteMaintenance(ctx context.Context, owner, id string, now time.Time) error
	PruneMaintenance(ctx context.Context, before time.Time) error
}

// Devices says who may see a device, and what it says about itself.
type Devices interface {
	MaySee(ctx context.Context, p domain.Principal, id string) (d domain.Device, mine bool, err error)
	Capabilities(ctx context.Context, device string) (domain.Capabilities, error)
	// AwayUntil returns when a device that is away on purpose wants to be back.
	AwayUntil(ctx context.Context, device string) (time.Time, error)
}

// Rooms says who may do what in a room.
type Rooms interface {
	MayRead(ctx context.Context, p domain.Principal, room string) error
	MayWrite(ctx context.Context, p domain.Principal, room string) error
}

// Readings says when devices last measured something.
type Readings interface {
	Series(ctx context.Context, device string) ([]domain.Series, error)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store    Store
	Devices  Devices
	Rooms    Rooms
	Readings Readings
	Bus      bus.Bus
	Log      *slog.Logger
	Audit    Recorder
	Metrics  prometheus.Registerer // nil: none
	Now      func() time.Time      // nil: time.Now
}

// Service is the alarm module.
type Service struct {
	Deps
	metrics  *metrics
	started  time.Time
	watched  watched
	observed chan observation
	dropped  atomic.Int64 // observations that did not fit: the next of the same device is judged
}

// observation is what a device reported.
type observation struct {
	device  string
	reports []domain.Report
	stored  time.Time
}

const observedMost = 4096 // observations that may wait

// New returns the service. Run must run for readings to be judged, and Absence, on one node at
// least, for silence to be.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{Deps: d, metrics: newMetrics(d.Metrics), started: d.Now(), watched: newWatched(),
		observed: make(chan observation, observedMost)}
}

// Queues returns the queue of observations, for the metrics.
func (s *Service) Queues() []obs.Queue {
	return []obs.Queue{{Name: "alarms", Limit: observedMost, Depth: func() int { return len(s.observed) },
		Full: s.dropped.Load}}
}

// Observe takes reports of a device that were stored. It does not block, and keeps nothing of a
// device without rules.
func (s *Service) Observe(device string, reports []domain.Report) {
	if !s.watched.has(device) {
		return
	}
	select {
	case s.observed <- observation{device, reports, s.Now()}:
	default:
		s.dropped.Add(1)
	}
}

// CreateRule adds a rule to a device of p.
func (s *Service) CreateRule(ctx context.Context, p domain.Principal, r domain.AlarmRule) (domain.AlarmRule, error) {
	r.ID, r.CreatedBy, r.CreatedAt = domain.NewID(domain.AlarmRulePrefix), p.ID, s.Now()
	return s.put(ctx, p, r)
}

// ReplaceRule replaces a rule of a device of p.
func (s *Service) ReplaceRule(ctx context.Context, p domain.Principal, r domain.AlarmRule) (domain.AlarmRule, error) {
	if err := s.owns(ctx, p, r.Device); err != nil {
		return r, err
	}
	before, err := s.Store.Rule(ctx, r.Device, r.ID)
	if err != nil {
		return r, err
	}
	if before.Group != "" {
		return r, errRuleOfGroup(before)
	}
	r.CreatedBy, r.CreatedAt = before.CreatedBy, before.CreatedAt
	return s.put(ctx, p, r)
}

func (s *Service) put(ctx context.Context, p domain.Principal, r domain.AlarmRule) (domain.AlarmRule, error) {
	if err := s.owns(ctx, p, r.Device); err != nil {
		return r, err
	}
	r, err := domain.CheckAlarmRule(r)
	if err != nil {
		return r, err
	}
	r.ChangedAt = s.Now()
	if err := s.Store.PutRule(ctx, p.ID, r, r.ChangedAt); err != nil {
		return r, err
	}
	s.record(ctx, p, domain.AuditAlarmRule, r.Device, map[string]string{"rule": r.ID, "name": r.Name})
	s.changed(r.Device)
	return s.Store.Rule(ctx, r.Device, r.ID)
}

// DeleteRule deletes a rule of a device of p. An alarm of it that is not over ends.
func (s *Service) DeleteRule(ctx context.Context, p domain.Principal, device, id string) error {
	if err := s.owns(ctx, p, device); err != nil {
		return err
	}
	r, err := s.Store.Rule(ctx, device, id)
	if err != nil {
		return err
	}
	if r.Group != "" {
		return errRuleOfGroup(r)
	}
	if err := s.Store.DeleteRule(ctx, device, id, s.Now()); err != nil {
		return err
	}
	s.record(ctx, p, domain.AuditAlarmRule, device, map[string]string{"rule": id, "deleted": "true"})
	s.changed(device)
	return nil
}

// owns refuses those who only see a device.
func (s *Service) owns(ctx context.Context, p domain.Principal, device string) error {
	d, _, err := s.Devices.MaySee(ctx, p, device)
	if err == nil && d.Owner.ID != p.ID {
		err = domain.Forbidden.Errorf(domain.CodeNotYourDevice, "only the owner of a device can do this")
	}
	return err
}

// Change acknowledges an alarm, snoozes its rule or takes a note. The owner of the device may do
// that, and whoever may write in a room that it was posted to: its line there says so.
func (s *Service) Change(
	ctx context.Context, p domain.Principal, device, id string, c domain.AlarmChange,
) (a domain.Alarm, err error) {
	now := s.Now()
	if c.Note != nil {
		if *c.Note, err = domain.CheckProse("/note", *c.Note, domain.MaxAlarmNote); err != nil {
			return a, err
		}
	}
	if c.SnoozeUntil != nil && !c.SnoozeUntil.IsZero() {
		if !c.SnoozeUntil.After(now) || c.SnoozeUntil.After(now.Add(domain.MaxAlarmSnooze)) {
			return a, domain.InvalidField("/snooze_until", "a snooze ends within %d days",
				int(domain.MaxAlarmSnooze/(24*time.Hour)))
		}
	}
	d, _, err := s.Devices.MaySee(ctx, p, device)
	if err != nil {
		return a, err
	}
	if a, err = s.Store.Alarm(ctx, device, id); err != nil {
		return a, err
	}
	if d.Owner.ID != p.ID {
		if err := s.mayChange(ctx, p, a); err != nil {
			return domain.Alarm{}, err
		}
	}
	if a, err = s.Store.Change(ctx, p.ID, device, id, c, now); err != nil {
		return a, err
	}
	s.record(ctx, p, domain.AuditAlarmAck, device, map[string]string{"alarm": id})
	s.changed(device)
	if d.Owner.ID != p.ID {
		one := []domain.Alarm{a}
		err = s.hideRooms(ctx, p, one)
		a = one[0]
	}
	return a, err
}

// mayChange holds that p may write in a room that has a line of the alarm.
func (s *Service) mayChange(ctx context.Context, p domain.Principal, a domain.Alarm) error {
	refused := domain.ErrNoAlarm()
	for _, room := range a.Rooms() {
		if s.Rooms.MayRead(ctx, p, room) != nil {
			continue
		}
		if refused = s.Rooms.MayWrite(ctx, p, room); refused == nil {
			return nil
		}
	}
	return refused
}

// changed has all nodes read the rules and alarms of a device anew.
func (s *Service) changed(device string) {
	if err := s.Bus.Publish(subject, []byte(device)); err != nil {
		s.Log.Warn("announce a change of alarms", "device", device, "err", err) // read again within a minute
	}
}

func (s *Service) record(
	ctx context.Context, p domain.Principal, what domain.AuditType, device string, details map[string]string,
) {
	target := domain.AuditTarget{Kind: string(domain.KindDevice), ID: device}
	if device == "" { // it is about several devices
		target = domain.AuditTarget{}
	}
	s.Audit.Record(ctx, domain.AuditEvent{
		Type: what, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID}, Target: target,
		Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx), Details: details,
	})
}
