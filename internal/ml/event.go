package ml

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A WorkerEvent is something that the supervisor did to the workers of a version, or that it saw of them.
type WorkerEvent struct {
	At     time.Time `json:"at"`
	Kind   eventKind `json:"kind" enum:"started,ready,ended,replaced,failed,quarantined,loaded,unloaded,reloaded" doc:"failed: the version does not run, and is tried again from time to time; quarantined: an input ended two workers, and is refused for a while; replaced: it took too much memory"`
	Worker int       `json:"worker,omitempty" doc:"which of them, from 1; absent: it is about the version"`
	Reason string    `json:"reason,omitempty" doc:"why, in English"`
}

type eventKind string

const (
	eventStarted     eventKind = "started"
	eventReady       eventKind = "ready"
	eventEnded       eventKind = "ended"
	eventReplaced    eventKind = "replaced"
	eventFailed      eventKind = "failed"
	eventQuarantined eventKind = "quarantined"
	eventLoaded      eventKind = "loaded"
	eventUnloaded    eventKind = "unloaded"
	eventReloaded    eventKind = "reloaded"
)

const (
	eventsMost = 20 // of a version are kept
	maxReason  = 500
)

// happened keeps an event. Its caller holds mu.
func (p *pool) happened(kind eventKind, worker int, why error) {
	e := WorkerEvent{At: time.Now().UTC(), Kind: kind, Worker: worker}
	if why != nil {
		e.Reason = strings.ToValidUTF8(why.Error()[:min(len(why.Error()), maxReason)], "")
	}
	p.events = append(p.events, e)
	if len(p.events) > eventsMost {
		p.events = slices.Delete(p.events, 0, len(p.events)-eventsMost)
	}
}

// note keeps an event.
func (p *pool) note(kind eventKind, worker int, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.happened(kind, worker, why)
}

func (s *slot) happened(kind eventKind, why error) { s.pool.note(kind, s.number, why) }

// follow has p take the place of old, whose events it goes on with.
func (p *pool) follow(old *pool, kind eventKind) {
	old.mu.Lock()
	p.events = slices.Clone(old.events)
	old.mu.Unlock()
	if p.drift.sum == old.drift.sum {
		p.drift = old.drift
	}
	p.note(kind, 0, nil)
}

// idle returns the version without workers. Whoever asks it is told why.
func (p *pool) idle() *pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := &pool{
		manifest: p.manifest, folder: p.folder, golden: p.golden, times: p.times, log: p.log, metrics: p.metrics,
		waiting: newWaiting(waitingMost), suspects: make(map[[32]byte]suspect), copies: make(chan copied, copiesMost),
		unloaded: true, drift: p.drift, events: slices.Clone(p.events),
	}
	q.tally = p.tally
	q.tally.units = maps.Clone(p.tally.units)
	q.waiting.refuse(errUnloaded)
	return q
}
