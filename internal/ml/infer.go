package ml

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/trace"
)

// A Request asks a model. Version 0 leaves the choice to the routing of the model, which has the same version
// answer the same user, room or device.
type Request struct {
	Model    string
	Version  int
	Units    map[Unit]string
	Inputs   []Tensor
	Priority Priority

	Parameters map[string]any // of a stream: texts, numbers, true and false, for the model
}

// An Answer is what the model computed.
type Answer struct {
	Version int
	Variant Variant // why this version
	Outputs []Tensor
}

// Infer asks a model. The answer comes when ctx ends at the latest.
func (s *Service) Infer(ctx context.Context, q Request) (a Answer, err error) {
	ctx, span := trace.Start(ctx, "ml.infer")
	defer func() { span.End(err) }()
	for {
		p, v, unit, err := s.pick(q)
		if err != nil {
			return Answer{}, err
		}
		noteModel(span, p, v)
		began := time.Now()
		outputs, err := p.infer(ctx, q.Inputs, q.Priority)
		if errors.Is(err, errMoved) && ctx.Err() == nil {
			continue // its workers were replaced just now
		}
		s.answered(q, p, v, unit, time.Since(began), outputs, err)
		return Answer{p.manifest.Version, v, outputs}, err
	}
}

// pick returns the pool that answers q, why, and the number of the unit that decided.
func (s *Service) pick(q Request) (p *pool, v Variant, unit uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.off != "" {
		return nil, "", 0, domain.Unavailable.Errorf(domain.CodeBusy, "%s", s.off)
	}
	m := s.models[q.Model]
	if q.Version > 0 {
		if e := m[q.Version]; e != nil {
			return e.pool, variantPinned, 0, nil
		}
		return nil, "", 0, domain.NotFound.Errorf(domain.CodeNoRoute, "there is no version %d of a model %q", q.Version,
			q.Model)
	}
	control := s.control(q.Model)
	if control == nil {
		return nil, "", 0, domain.NotFound.Errorf(domain.CodeNoRoute, "there is no model %q", q.Model)
	}
	r := s.routings[q.Model]
	name := q.Units[r.By]
	if name == "" {
		name = rand.Text() // nobody's: each request is divided by itself
	}
	sum := sha256.Sum256([]byte(name))
	unit = binary.BigEndian.Uint64(sum[:8])
	for _, pinned := range q.Units {
		if e := m[r.Pins[pinned]]; e != nil && e.pool.ready() > 0 {
			return e.pool, variantPinned, 0, nil
		}
	}
	n, v := r.choose(name)
	if v == variantCandidate {
		if e := m[n]; e != nil && e.pool.ready() > 0 {
			return e.pool, v, unit, nil
		}
	}
	return control.pool, variantDefault, unit, nil
}

// control returns the version that answers whom no candidate does: the default if it is ready, else the one before
// it, else the newest that is ready and no candidate. nil: there is none. Its caller holds mu.
func (s *Service) control(model string) *entry {
	m, r := s.models[model], s.routings[model]
	for _, n := range []int{r.Default, r.Previous} {
		if e := m[n]; e != nil && e.pool.ready() > 0 {
			return e
		}
	}
	numbers := slices.Sorted(maps.Keys(m))
	for _, n := range slices.Backward(numbers) {
		if n != r.Candidate && !slices.Contains(r.Refused, n) && m[n].pool.ready() > 0 {
			return m[n]
		}
	}
	if e := m[r.Default]; e != nil || len(numbers) == 0 {
		return e
	}
	return m[numbers[len(numbers)-1]]
}

// answered counts a request, and has the shadow asked the same.
func (s *Service) answered(
	q Request, p *pool, v Variant, unit uint64, took time.Duration, outputs []Tensor, err error,
) {
	s.counted(q, p, v, unit, took, err)
	s.mu.Lock()
	r := s.routings[q.Model]
	shadow := s.models[q.Model][r.Shadow]
	s.mu.Unlock()
	if shadow != nil && err == nil && r.Shadow != p.manifest.Version && int(unit%100) < r.Sampled {
		shadow.pool.copy(copied{q.Inputs, outputs})
	}
}

// counted counts a request for the trial of its model.
func (s *Service) counted(q Request, p *pool, v Variant, unit uint64, took time.Duration, err error) {
	s.mu.Lock()
	t := s.trials[q.Model]
	due := t != nil && (v == variantDefault || v == variantCandidate && t.candidate == p.manifest.Version) &&
		t.count(v, unit, took, err)
	s.mu.Unlock()
	if due {
		s.judgeSoon()
	}
}

// copiesMost wait for a version that is a shadow; more are dropped.
const copiesMost = 64

// A copied is a request that was answered, for a shadow.
type copied struct{ inputs, outputs []Tensor }

func (p *pool) copy(c copied) {
	select {
	case p.copies <- c:
	default:
		p.metrics.shadows.WithLabelValues(append(p.labels(), "dropped")...).Inc()
	}
}

// shadows asks p what others have answered, one after the other, and only compares.
func (s *Service) shadows(ctx context.Context, p *pool) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-p.copies:
			result := "same"
			outputs, err := p.infer(ctx, c.inputs, Background)
			switch {
			case err != nil:
				result = "failed"
			case !alike(outputs, c.outputs):
				result = "different"
			}
			s.metrics.shadows.WithLabelValues(append(p.labels(), result)...).Inc()
		}
	}
}

// shadowTolerance is how far numbers may be away that count as the same.
const shadowTolerance = 1e-3

// alike says whether two answers are the same.
func alike(a, b []Tensor) bool {
	if len(a) != len(b) {
		return false
	}
	for _, t := range a {
		i := slices.IndexFunc(b, func(o Tensor) bool { return o.Name == t.Name })
		if i < 0 || b[i].Type != t.Type || !slices.Equal(b[i].Shape, t.Shape) || !near(t, b[i], shadowTolerance) {
			return false
		}
	}
	return true
}

// pools returns those of all versions, in order.
func (s *Service) pools() []*pool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var pools []*pool
	for _, name := range slices.Sorted(maps.Keys(s.models)) {
		for _, n := range slices.Sorted(maps.Keys(s.models[name])) {
			pools = append(pools, s.models[name][n].pool)
		}
	}
	return pools
}
