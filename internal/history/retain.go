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
	retainEvery = 10 * time.Minute
	roomsAtOnce = 500 // in one question to the store
	// A step takes the writer for a few milliseconds, and then leaves it alone for
	// four times as long: purging never takes more than a fifth of it.
	stepEvents = 200
	restTimes  = 4
	shortRest  = 10 * time.Millisecond
	longRest   = 2 * time.Second
)

// Names of the settings of retention that administrators change while the server
// runs.
const (
	SettingRetentionDays    = "retention_days"
	SettingRetentionLines   = "retention_lines"
	SettingRetentionMinDays = "retention_min_days"
	SettingRetentionMaxDays = "retention_max_days"
)

// Rules returns what administrators have laid down about retention; where they
// have not, the configuration counts.
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

// Run forgets what is to be kept no longer, and gives the disk back what that
// leaves free, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	for wait := time.Minute; ; wait = retainEvery {
		// Nodes take turns by chance; two at once do no harm.
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-s.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := s.Retain(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("purge what is no longer kept; will try again", "err", err)
		}
	}
}

// Wake has Run look now, since a room was deleted.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Retain goes through all rooms once.
func (s *Service) Retain(ctx context.Context) error {
	rules, err := s.Rules(ctx)
	if err != nil {
		return err
	}
	purged, rooms := 0, 0
	for after := ""; ; {
		some, err := s.Store.Purgeable(ctx, after, roomsAtOnce)
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
		if len(some) < roomsAtOnce {
			break
		}
		after = some[len(some)-1].Room
	}
	if purged > 0 {
		s.Log.Info("purged what is no longer kept", "rooms", rooms, "events", purged)
		s.Audit.Record(ctx, domain.AuditEvent{Type: domain.AuditPurge, Actor: domain.AuditActor{Kind: domain.ActorSystem},
			Details: map[string]string{"rooms": strconv.Itoa(rooms), "events": strconv.Itoa(purged)}})
	}
	return s.compact(ctx)
}

// purge forgets what one room keeps no longer, step by step: of one that was
// deleted, everything.
func (s *Service) purge(ctx context.Context, rules domain.RetentionRules, p domain.Purgeable) (events int, err error) {
	if p.Deleted {
		events, _, err = s.steps(ctx, func() (domain.Purged, error) { return s.Store.PurgeDeleted(ctx, p.Room, stepEvents) })
		return events, err
	}
	keep, now := rules.Resolve(p.Keep), s.Now()
	step := domain.PurgeStep{Before: keep.Cutoff(now), LineCutoff: rules.LineCutoff(now), Limit: stepEvents}
	if keep.Lines > 0 && p.Head-p.Floor > int64(keep.Lines) {
		if step.UpTo, err = s.Store.NthNewestLine(ctx, p.Room, keep.Lines); err != nil {
			return 0, err
		}
	}
	if !step.Matches(p.Floor+1, p.Oldest) {
		return 0, nil
	}
	events, floor, err := s.steps(ctx, func() (domain.Purged, error) { return s.Store.Purge(ctx, p.Room, step) })
	if domain.KindOf(err) == domain.NotFound {
		return events, nil // the room was deleted meanwhile
	}
	if events > 0 {
		s.tell(p.Room, floor)
	}
	return events, err
}

// steps repeats step until nothing is left for it, with rests, and returns how many
// events went, and the last that did.
func (s *Service) steps(ctx context.Context, step func() (domain.Purged, error)) (events int, floor int64, err error) {
	for more := true; more; {
		start := time.Now()
		done, err := step()
		if err != nil {
			return events, floor, err
		}
		events += done.Events
		s.purged.Add(float64(done.Events))
		floor, more = done.Floor, done.More
		if more && !s.rest(ctx, time.Since(start)) {
			break
		}
	}
	return events, floor, ctx.Err()
}

// tell has connected members forget what is gone.
func (s *Service) tell(room string, floor int64) {
	frame, err := wire.Encode(wire.Reply{Type: wire.TypePurged, Data: wire.Purged{Room: room, Floor: floor}})
	if err == nil {
		frame, err = wire.Pack(wire.Header{Type: wire.TypePurged}, frame)
	}
	if err == nil {
		err = s.Bus.Publish(wire.RoomSubject(room), frame)
	}
	if err != nil {
		s.Log.Warn("tell a room what is no longer kept", "room", room, "err", err)
	}
}

// compact gives free room of the database back to the disk, step by step.
func (s *Service) compact(ctx context.Context) error {
	for {
		start := time.Now()
		more, err := s.Store.Compact(ctx)
		if err != nil || !more || !s.rest(ctx, time.Since(start)) {
			return err
		}
	}
}

// rest leaves the writer to others after a step that took so long.
func (s *Service) rest(ctx context.Context, took time.Duration) bool {
	return pause(ctx, min(max(restTimes*took, shortRest), longRest))
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
