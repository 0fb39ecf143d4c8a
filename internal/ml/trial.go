package ml

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// ladder is the part of the requests, in percent, that a candidate has one after the other.
var ladder = [...]int{1, 5, 25, 50, 100}

// What a candidate is judged by.
const (
	trialDeaths    = 2                     // of its workers, at once
	trialLeast     = 200                   // requests before it is compared
	trialZ         = 3                     // of two proportions
	trialPoint     = 0.01                  // more of its requests fail
	trialSlower    = 1.5                   // its p95, compared
	trialSlowerBy  = 20 * time.Millisecond // and so much more
	rungRequests   = 500                   // of each side, before the part grows
	unitsMost      = 50_000                // that are counted
	unitsLeast     = 100                   // before they are compared
	mismatchChi    = 10.83                 // chi-squared of p = 0.001, one degree of freedom
	latencyBuckets = 120
	latencyGrowth  = 1.12 // from a tenth of a millisecond to a minute
)

// Rules by which a candidate is rolled back, as the audit log and metrics name them.
const (
	ruleDeaths  = "deaths"
	ruleFailed  = "failed"
	ruleErrors  = "errors"
	ruleLatency = "latency"
)

// A trial is what is known of a candidate beside the version that it may replace, since its part last changed.
// A trial never changes its routing: another one follows.
type trial struct {
	candidate  int
	salt       string
	percent    int
	sides      [2]side // of the default, and of the candidate
	deaths     int     // of workers of the candidate
	checkpoint int     // requests of the candidate at which they are compared next
}

// A side is one of both versions.
type side struct {
	requests, errors int
	latency          [latencyBuckets]int
	units            map[uint64]struct{}
}

// follow returns the trial of r: t, if the split is the same.
func (t *trial) follow(r Routing) *trial {
	if r.Candidate == 0 {
		return nil
	}
	if t != nil && t.candidate == r.Candidate && t.salt == r.Salt && t.percent == r.Percent {
		return t
	}
	fresh := &trial{candidate: r.Candidate, salt: r.Salt, percent: r.Percent, checkpoint: trialLeast}
	for i := range fresh.sides {
		fresh.sides[i].units = map[uint64]struct{}{}
	}
	return fresh
}

// count adds a request, and says whether it is time to judge.
func (t *trial) count(v Variant, unit uint64, took time.Duration, err error) bool {
	s := &t.sides[0]
	if v == variantCandidate {
		s = &t.sides[1]
	}
	s.add(took, err)
	if len(s.units) < unitsMost {
		s.units[unit] = struct{}{}
	}
	return v == variantCandidate && s.requests >= t.checkpoint
}

// add counts a request. What is wrong with a request is no error of the version.
func (s *side) add(took time.Duration, err error) {
	s.requests++
	if kind := domain.KindOf(err); err != nil && (kind == domain.Internal || kind == domain.Unavailable) {
		s.errors++
	}
	at := int(math.Log(max(1, float64(took)/float64(100*time.Microsecond))) / math.Log(latencyGrowth))
	s.latency[min(at, latencyBuckets-1)]++
}

// quantile returns the time that so many percent of the requests take at most, 12 percent more at most.
func (s *side) quantile(percent int) time.Duration {
	seen, want := 0, (s.requests*percent+99)/100
	for i, n := range s.latency {
		if seen += n; seen >= want && n > 0 {
			return time.Duration(math.Pow(latencyGrowth, float64(i+1)) * float64(100*time.Microsecond))
		}
	}
	return 0
}

// failing says by which rule the candidate is worse, at once or at a checkpoint; empty: it is not. Sides are
// compared only when so many more requests have come, since who looks often enough finds a difference.
func (t *trial) failing(failed error) (rule, why string) {
	c, d := &t.sides[1], &t.sides[0]
	switch {
	case failed != nil:
		return ruleFailed, fmt.Sprintf("it does not run: %v", failed)
	case t.deaths >= trialDeaths:
		return ruleDeaths, fmt.Sprintf("%d of its workers ended", t.deaths)
	case c.requests < t.checkpoint || d.requests < trialLeast:
		return "", ""
	}
	for t.checkpoint <= c.requests {
		t.checkpoint = t.checkpoint * 5 / 2
	}
	p, q := float64(c.errors)/float64(c.requests), float64(d.errors)/float64(d.requests)
	both := float64(c.errors+d.errors) / float64(c.requests+d.requests)
	spread := math.Sqrt(both * (1 - both) * (1/float64(c.requests) + 1/float64(d.requests)))
	if p-q >= trialPoint && p-q > trialZ*spread {
		return ruleErrors, fmt.Sprintf("%.1f %% of its requests failed, and %.1f %% of the others", 100*p, 100*q)
	}
	slow, usual := c.quantile(95), d.quantile(95)
	if float64(slow) > trialSlower*float64(usual) && slow-usual > trialSlowerBy {
		return ruleLatency, fmt.Sprintf("95 %% of its answers took up to %v, and of the others %v",
			slow.Round(time.Millisecond), usual.Round(time.Millisecond))
	}
	return "", ""
}

// mismatched says that units are not divided as they should be, so that nothing can be said of both sides.
func (t *trial) mismatched() bool {
	c, d := float64(len(t.sides[1].units)), float64(len(t.sides[0].units))
	if c+d < unitsLeast || c+d >= unitsMost {
		return false
	}
	want := (c + d) * float64(t.percent) / 100
	rest := c + d - want
	return (c-want)*(c-want)/want+(d-rest)*(d-rest)/rest > mismatchChi
}

// grows says whether the candidate has done well for long enough.
func (t *trial) grows(r Routing, rung time.Duration) bool {
	return r.Auto && time.Since(r.Since) >= rung && t.sides[0].requests >= rungRequests &&
		t.sides[1].requests >= rungRequests && !t.mismatched()
}

// judgeAll rolls candidates back that are worse, and lets others grow that may.
func (s *Service) judgeAll(ctx context.Context) {
	type verdict struct {
		model      string
		rule, why  string
		grow       bool
		after, was Routing
	}
	var all []verdict
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	for model, t := range s.trials {
		e := s.models[model][s.routings[model].Candidate]
		if t == nil || e == nil {
			continue
		}
		v := verdict{model: model, was: s.routings[model]}
		_, failed := e.pool.failure()
		v.rule, v.why = t.failing(failed)
		v.grow = v.rule == "" && t.grows(v.was, s.Times.Rung)
		all = append(all, v)
	}
	s.mu.Unlock()
	for _, v := range all {
		var err error
		details := map[string]string{"model": v.model, "version": fmt.Sprint(v.was.Candidate)}
		switch {
		case v.rule != "":
			v.after, err = v.was.rolledBack(v.rule + ": " + v.why)
			details["action"], details["rule"], details["reason"] = "rollback", v.rule, v.why
			s.metrics.rollbacks.WithLabelValues(v.model, v.rule).Inc()
			s.Log.WarnContext(ctx, "a version of a model is rolled back", "model", v.model, "version", v.was.Candidate,
				"rule", v.rule, "why", v.why)
		case v.grow:
			v.after = v.was.grown()
			details["action"], details["percent"] = "promote", fmt.Sprint(max(v.after.Percent, 0))
		default:
			continue
		}
		if err == nil {
			err = s.record(ctx, domain.AuditEvent{Actor: domain.AuditActor{Kind: domain.ActorSystem}}, v.model, details)
		}
		if err == nil || v.rule != "" { // a rollback does not wait for the audit log
			err = s.keep(ctx, "", v.model, v.after)
		}
		if err != nil {
			s.Log.ErrorContext(ctx, "what was decided of a model is not kept, and is decided again", "model", v.model,
				"err", err)
		}
	}
}

// grown returns r on the next rung.
func (r Routing) grown() Routing {
	for _, percent := range ladder {
		if percent > r.Percent && percent < 100 {
			r.Percent = percent
			r.Reason = fmt.Sprintf("version %d did well, and gets %d %%", r.Candidate, percent)
			return r
		}
	}
	return r.promoted(r.Candidate, r.Default)
}
