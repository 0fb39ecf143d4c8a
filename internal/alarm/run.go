package alarm

import (
	"context"
	"encoding/json"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// subject carries the ids of devices whose rules or alarms have changed.
const subject = "alarms"

const (
	loadEvery    = time.Minute // everything, for what the bus has lost
	loadPage     = 1000
	lookEvery    = time.Second // for silent devices
	followEvery  = 10 * time.Second
	pruneEvery   = time.Hour
	escalateMost = 100
	rulesMost    = domain.MaxAlarmRules + domain.MaxGroupRules + 1
)

// Run judges what devices report to this process, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	stale := make(chan string, loadPage)
	stop, err := s.Bus.Subscribe(subject, func(m bus.Message) {
		select {
		case stale <- string(m.Data):
		default: // loaded within a minute
		}
	})
	if err != nil {
		return err
	}
	defer stop()
	handed, err := s.Bus.Subscribe(bus.RevokeSubject, func(m bus.Message) {
		var v bus.Revocation
		if json.Unmarshal(m.Data, &v) == nil && v.Reason == domain.EndTransferred {
			select {
			case stale <- v.Device:
			default:
			}
		}
	})
	if err != nil {
		return err
	}
	defer handed()
	s.try(ctx, "load the rules of alarms", s.loadAll)
	load := time.NewTicker(loadEvery)
	defer load.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-load.C:
			s.try(ctx, "load the rules of alarms", s.loadAll)
		case id := <-stale:
			s.try(ctx, "load the rules of a device", func(ctx context.Context) error { return s.load(ctx, id) })
		case o := <-s.observed:
			s.judge(ctx, o)
		}
	}
}

// try does something that is done again later if it fails.
func (s *Service) try(ctx context.Context, what string, do func(context.Context) error) {
	if err := do(ctx); err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "a task of alarms failed; will try again", "task", what, "err", err)
	}
}

// loadAll reads all rules, and the alarms that are not over.
func (s *Service) loadAll(ctx context.Context) error {
	rules := make(map[string][]domain.AlarmRule)
	for after := ""; ; {
		page, err := s.Store.Rules(ctx, "", after, loadPage)
		if err != nil {
			return err
		}
		for _, r := range page {
			rules[r.Device] = append(rules[r.Device], r)
			after = r.ID
		}
		if len(page) < loadPage {
			break
		}
	}
	open, err := s.open(ctx, "")
	if err != nil {
		return err
	}
	ids := make(map[string]bool, len(rules))
	for id, list := range rules {
		ids[id] = true
		s.watched.set(id, list, open)
	}
	s.watched.keep(ids)
	return nil
}

// load reads the rules of one device.
func (s *Service) load(ctx context.Context, id string) error {
	rules, err := s.Store.Rules(ctx, id, "", rulesMost)
	if err != nil {
		return err
	}
	open, err := s.open(ctx, id)
	if err != nil {
		return err
	}
	s.watched.set(id, rules, open)
	return nil
}

// open returns the alarms that are not over, by their rules.
func (s *Service) open(ctx context.Context, device string) (map[string]domain.Alarm, error) {
	found, err := s.Store.Open(ctx, device)
	if err != nil {
		return nil, err
	}
	byRule := make(map[string]domain.Alarm, len(found))
	for _, a := range found {
		byRule[a.Rule] = a
	}
	return byRule, nil
}

func (s *Service) judge(ctx context.Context, o observation) {
	s.metrics.delay.Observe(s.Now().Sub(o.stored).Seconds())
	d := s.watched.get(o.device)
	if d == nil {
		return
	}
	for _, rep := range o.reports {
		s.carryOut(ctx, d, d.judge(rep, s.Now()))
	}
}

// carryOut raises and ends alarms. What fails is decided again with the next report.
func (s *Service) carryOut(ctx context.Context, d *device, decisions []decision) {
	for _, dec := range decisions {
		var err error
		if dec.raise {
			err = s.raise(ctx, d, dec)
		} else if dec.clear {
			err = s.clear(ctx, d, dec)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "raise or end an alarm", "device", d.id, "rule", dec.rule.ID, "err", err)
		}
	}
}

func (s *Service) raise(ctx context.Context, d *device, dec decision) error {
	a, raised, err := s.Store.Raise(ctx, dec.rule,
		domain.Alarm{ID: domain.NewID(domain.AlarmPrefix), Value: dec.value, Limit: dec.limit}, s.Now())
	if err != nil {
		return err
	}
	if !raised { // another node was first, or the rule has changed
		return s.load(ctx, d.id)
	}
	s.metrics.raised.WithLabelValues(string(a.Severity)).Inc()
	d.done(dec.rule.ID, true, a.Flapping)
	s.changed(d.id)
	return nil
}

func (s *Service) clear(ctx context.Context, d *device, dec decision) error {
	_, cleared, err := s.Store.Clear(ctx, d.id, dec.rule.ID, s.Now())
	if err != nil {
		return err
	}
	d.done(dec.rule.ID, false, false)
	if cleared {
		s.metrics.cleared.Inc()
		s.changed(d.id)
	}
	return nil
}

// Absence judges the silence of devices, escalates alarms that nobody has acknowledged, and forgets those
// of long ago, until ctx is done. Several nodes may do that at the same time.
func (s *Service) Absence(ctx context.Context) error {
	look, prune, follow := time.NewTicker(lookEvery), time.NewTicker(pruneEvery), time.NewTicker(followEvery)
	defer look.Stop()
	defer follow.Stop()
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			for _, d := range s.watched.all() {
				s.try(ctx, "judge the silence of a device", func(ctx context.Context) error { return s.absent(ctx, d) })
			}
			s.try(ctx, "escalate alarms", s.escalate)
		case <-follow.C:
			s.try(ctx, "give rules for several devices to those that have come", s.follow)
		case <-prune.C:
			s.try(ctx, "forget alarms", s.prune)
		}
	}
}

func (s *Service) escalate(ctx context.Context) error {
	done, err := s.Store.Escalate(ctx, s.Now(), escalateMost)
	for _, a := range done {
		s.changed(a.Device)
	}
	return err
}

func (s *Service) prune(ctx context.Context) (err error) {
	for more := true; more && err == nil; {
		more, err = s.Store.Prune(ctx, s.Now().Add(-domain.AlarmKept))
	}
	if err != nil {
		return err
	}
	return s.Store.PruneMaintenance(ctx, s.Now().Add(-domain.MaintenanceKept))
}

// absent judges the silence of a device. The store is asked, without a lock on the device, if
// nothing came to this process for longer than a rule allows.
func (s *Service) absent(ctx context.Context, d *device) error {
	now := s.Now()
	if !d.looks(now) {
		return nil
	}
	can, err := s.Devices.Capabilities(ctx, d.id)
	if err != nil {
		return err
	}
	usual := can.OfflineAfter()
	if usual == 0 {
		usual = silenceDefault
	}
	if d.unheard(now, usual) {
		last, err := s.lastHeard(ctx, d.id, now)
		if err != nil {
			return err
		}
		d.heardAt(last, now)
	}
	s.carryOut(ctx, d, d.silent(now, s.started, usual))
	return nil
}

// lastHeard returns when a device last reported to any node. One that is away on purpose is not
// silent until it wants to be back.
func (s *Service) lastHeard(ctx context.Context, device string, now time.Time) (last time.Time, err error) {
	series, err := s.Readings.Series(ctx, device)
	if err != nil {
		return last, err
	}
	for _, of := range series {
		if of.LastAt.After(last) {
			last = of.LastAt
		}
	}
	until, err := s.Devices.AwayUntil(ctx, device)
	if until.After(now) {
		until = now
	}
	if until.After(last) {
		last = until
	}
	return last, err
}
