// Package meaning makes vectors of messages, by which search finds those that mean the same in other words. It does so
// after messages are acknowledged: a consumer of the feed makes those of new messages, and a backfill those of older
// ones, which rests three times as long as it works.
package meaning

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/embed"
	"github.com/unhidra/unhidra/internal/feed"
)

// Store stores vectors of messages.
type Store interface {
	BeginVectors(ctx context.Context, model string) error
	TakeTexts(ctx context.Context) (texts []domain.MessageText, more bool, err error)
	TextOf(ctx context.Context, room string, seq int64) (x domain.MessageText, ok bool, err error)
	AddVectors(ctx context.Context, vectors []domain.MessageVector) error
	LookAgain(ctx context.Context, pos int64) error
	LoadVectors(ctx context.Context) error
}

// Deps are the dependencies of the service.
type Deps struct {
	Store   Store
	Model   *embed.Model // nil: none, and then nothing is to be called but New
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Now     func() time.Time // nil: time.Now
}

const (
	batch     = 8                // messages that the consumer takes at once
	maxLate   = time.Minute      // what is older when the consumer sees it, the backfill does
	loadEvery = 2 * time.Second  // how soon nodes know the vectors that others made
	rest      = 3                // of the backfill after a step, in lengths of the step
	idle      = 10 * time.Second // of the backfill without work, and after a failure
)

// Service is the module.
type Service struct {
	Deps
	made prometheus.Counter
}

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{Deps: d, made: prometheus.NewCounter(prometheus.CounterOpts{Name: "search_vectors_made_total",
		Help: "Vectors of messages that this node made for search by meaning."})}
	d.Metrics.MustRegister(s.made)
	return s
}

// Knows reports whether a text may be in a language that the model knows.
func (s *Service) Knows(text string) bool { return embed.Trained(text) }

// Vector returns the vector of what somebody searches for.
func (s *Service) Vector(text string) *embed.Vector {
	v := s.Model.Encode(text)
	return &v
}

// Consumer returns the consumer of the feed that makes the vectors of new and edited messages.
func (s *Service) Consumer() feed.Consumer[domain.Event] {
	return feed.Consumer[domain.Event]{Name: "vectors of messages", From: feed.Now, Batch: batch, Handle: s.handle}
}

func (s *Service) handle(ctx context.Context, entries []feed.Entry[domain.Event]) error {
	var texts []domain.MessageText
	var late int64 // the last that the backfill is to make
	for _, e := range entries {
		if e.Value.Type != domain.MessageCreated && e.Value.Type != domain.MessageEdited || e.Value.Message == nil {
			continue
		}
		x, ok, err := s.Store.TextOf(ctx, e.Value.Room, e.Value.Message.Seq)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if s.Now().Sub(e.Time) > maxLate {
			late = max(late, x.Pos)
			continue
		}
		texts = append(texts, x)
	}
	if late > 0 {
		if err := s.Store.LookAgain(ctx, late); err != nil {
			return err
		}
	}
	return s.make(ctx, texts)
}

// make makes the vectors of messages.
func (s *Service) make(ctx context.Context, texts []domain.MessageText) error {
	var vectors []domain.MessageVector
	for _, x := range texts {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if text := domain.PlainLine(x.Text); embed.Trained(text) {
			v := s.Model.Encode(text)
			vectors = append(vectors, domain.MessageVector{Pos: x.Pos, Room: x.Room, Edits: x.Edits, Code: v.Code()})
		}
	}
	if len(vectors) == 0 {
		return nil
	}
	s.made.Add(float64(len(vectors)))
	return s.Store.AddVectors(ctx, vectors)
}

// Backfill makes the vectors of messages that have none, the newest first, until ctx is done.
func (s *Service) Backfill(ctx context.Context) error {
	began := false
	for ctx.Err() == nil {
		start := time.Now()
		var more bool
		var err error
		if !began {
			err = s.Store.BeginVectors(ctx, embed.Name)
			began = err == nil
		}
		if began {
			more, err = s.step(ctx)
		}
		pause := rest * time.Since(start)
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "make vectors of earlier messages", "err", err)
		}
		if err != nil || !more {
			pause = idle
		}
		began = began && err == nil // what was taken, and got no vectors, is looked for again
		sleep(ctx, pause)
	}
	return ctx.Err()
}

// step is one step of the backfill.
func (s *Service) step(ctx context.Context) (more bool, err error) {
	texts, more, err := s.Store.TakeTexts(ctx)
	if err != nil {
		return false, err
	}
	return more, s.make(ctx, texts)
}

// Load takes the vectors that nodes made into memory, until ctx is done.
func (s *Service) Load(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.Store.LoadVectors(ctx); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "load vectors of messages", "err", err)
		}
		sleep(ctx, loadEvery)
	}
	return ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
