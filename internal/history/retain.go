package history

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	purgeInterval = 10 * time.Minute
	roomsPerQuery = 500
	// A step uses the writer for a few milliseconds. The pause after it is four times as long,
	// so purging takes at most a fifth of the writer's time.
	eventsPerStep = 200
	pauseFactor   = 4
	minPause      = 10 * time.Millisecond
	maxPause      = 2 * time.Second
)

// Names of the retention settings that administrators can change at runtime.
const (
	SettingRetentionDays    = "retention_days"
	SettingRetentionLines   = "retention_lines"
	SettingRetentionMinDays = "retention_min_days"
	SettingRetentionMaxDays = "retention_max_days"
)

// Rules returns the retention rules: the settings of administrators, and the configuration where
// they have set nothing.
func (s *Service) Rules(ctx context.Context) (domain.RetentionRules, error) {
	r := s.Retention
	settings, err := s.Store.Settings(ctx)
	if err != nil {
		return r, err
	}
	for _, v := range settings {
		n, err := strconv.Atoi(v.Value)
		if err != nil {
			continue // another setting
		}
		switch v.Name {
		case SettingRetentionDays:
			r.Default.Days = n
		case SettingRetentionLines:
			r.Default.Lines = n
		case SettingRetentionMinDays:
			r.MinDays = n
		case SettingRetentionMaxDays:
			r.MaxDays = n
		}
	}
	return r, nil
}

type rulesOutput struct {
	Body struct {
		Default wire.Keep `json:"default" doc:"of rooms that have chosen nothing"`
		MinDays int       `json:"min_days" doc:"nothing goes before; 0: no such bound"`
		MaxDays int       `json:"max_days" doc:"nothing stays longer; 0: no such bound"`
	}
}

func (s *Service) getRetention(ctx context.Context, _ *struct{}) (*rulesOutput, error) {
	r, err := s.Rules(ctx)
	out := &rulesOutput{}
	out.Body.Default, out.Body.MinDays, out.Body.MaxDays = wire.Keep(r.Default), r.MinDays, r.MaxDays
	return out, err
}

// Run purges expired events, and returns free pages to the disk, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	for wait := time.Minute; ; wait = purgeInterval {
		// The random wait spreads the nodes; two that purge at once do no harm.
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-s.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := s.PurgeAll(ctx); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "purge what is no longer kept; will try again", "err", err)
		}
	}
}

// Wake makes Run purge now. It is called when a room was deleted.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// PurgeAll purges all rooms once.
func (s *Service) PurgeAll(ctx context.Context) error {
	rules, err := s.Rules(ctx)
	if err != nil {
		return err
	}
	purged, rooms := 0, 0
	for after := ""; ; {
		some, err := s.Store.Purgeable(ctx, after, roomsPerQuery)
		if err != nil {
			return err
		}
		for _, p := range some {
			n, err := s.purge(ctx, rules, p)
			if err != nil {
				return err
			}
			if purged += n; n > 0 {
				rooms++
			}
		}
		if len(some) < roomsPerQuery {
			break
		}
		after = some[len(some)-1].Room
	}
	if purged > 0 {
		s.Log.InfoContext(ctx, "purged what is no longer kept", "rooms", rooms, "events", purged)
		s.Audit.Record(ctx, domain.AuditEvent{Type: domain.AuditPurge, Actor: domain.AuditActor{Kind: domain.ActorSystem},
			Details: map[string]string{"rooms": strconv.Itoa(rooms), "events": strconv.Itoa(purged)}})
	}
	return s.compact(ctx)
}

// purge deletes the expired events of one room in steps. Of a deleted room it deletes all.
func (s *Service) purge(ctx context.Context, rules domain.RetentionRules, p domain.Purgeable) (events int, err error) {
	if p.Deleted {
		events, _, err = s.repeatStep(ctx, func() (domain.Purged,
			error) {
			return s.Store.PurgeDeleted(ctx, p.Room, eventsPerStep)
		})
		return events, err
	}
	keep, now := rules.Resolve(p.Keep), s.Now()
	step := domain.PurgeStep{Before: keep.Cutoff(now), LineCutoff: rules.LineCutoff(now), Limit: eventsPerStep}
	if keep.Lines > 0 && p.Head-p.Floor > int64(keep.Lines) {
		if step.UpTo, err = s.Store.NthNewestLine(ctx, p.Room, keep.Lines); err != nil {
			return 0, err
		}
	}
	if !step.Matches(p.Floor+1, p.Oldest) {
		return 0, nil
	}
	events, floor, err := s.repeatStep(ctx, func() (domain.Purged, error) { return s.Store.Purge(ctx, p.Room, step) })
	if domain.KindOf(err) == domain.NotFound {
		return events, nil // the room was deleted meanwhile
	}
	if events > 0 {
		s.publishPurged(p.Room, floor)
	}
	return events, err
}

// repeatStep calls step, with pauses, until nothing is left to purge. It returns the number of
// purged events and the new floor.
func (s *Service) repeatStep(
	ctx context.Context, step func() (domain.Purged, error),
) (events int, floor int64, err error) {
	for more := true; more; {
		start := time.Now()
		done, err := step()
		if err != nil {
			return events, floor, err
		}
		events += done.Events
		s.purged.Add(float64(done.Events))
		floor, more = done.Floor, done.More
		if more && !s.pauseAfter(ctx, time.Since(start)) {
			break
		}
	}
	return events, floor, ctx.Err()
}

// publishPurged tells connected members what was purged.
func (s *Service) publishPurged(room string, floor int64) {
	frame, err := wire.PackReply(wire.TypePurged, wire.Purged{Room: room, Floor: floor})
	if err == nil {
		err = s.Bus.Publish(wire.RoomSubject(room), frame)
	}
	if err != nil {
		s.Log.Warn("tell a room what is no longer kept", "room", room, "err", err)
	}
}

// compact returns free pages of the database to the disk, in steps.
func (s *Service) compact(ctx context.Context) error {
	for {
		start := time.Now()
		more, err := s.Store.Compact(ctx)
		if err != nil || !more || !s.pauseAfter(ctx, time.Since(start)) {
			return err
		}
	}
}

// pauseAfter pauses in proportion to the duration of the step before. It reports false if ctx
// ended.
func (s *Service) pauseAfter(ctx context.Context, took time.Duration) bool {
	return pause(ctx, min(max(pauseFactor*took, minPause), maxPause))
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
