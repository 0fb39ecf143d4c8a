package app

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
)

const (
	forgetFeedEvery = time.Hour
	// consumerLife is how long the feed keeps events for a consumer that nobody runs:
	// of a part of the server that was switched off.
	consumerLife = 30 * 24 * time.Hour
)

// buildFeed makes the feed of events, what keeps it small, and its consumers.
func (s *server) buildFeed() {
	s.feed = feed.Deps[domain.Event]{
		Source: s.db.Feed, Cursors: s.db.Feed, DeadLetters: s.db.Feed,
		Observer: feed.NewMetrics(s.reg, s.db.Feed.Lags), Log: s.logs.Part("feed"), Trace: s.tracer,
	}
	s.db.OnCommit(func([]domain.Event) { s.appended.Notify() })
	s.run("feed", s.keepFeed)
	for _, c := range s.Consumers {
		s.consume(c)
	}
}

// consume adds a component that tells c of every event that is committed.
func (s *server) consume(c feed.Consumer[domain.Event]) {
	s.run("feed "+c.Name, func(ctx context.Context) error {
		feed.Run(ctx, s.feed, c, &s.appended)
		return ctx.Err()
	})
}

// keepFeed first forgets consumers some time after the start: those of this server have
// their cursors again by then, however long it was off.
func (s *server) keepFeed(ctx context.Context) error {
	tick := time.NewTicker(forgetFeedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := s.db.Feed.Prune(ctx, time.Now().Add(-consumerLife)); err != nil && ctx.Err() == nil {
			s.logs.Part("feed").WarnContext(ctx, "drop what no consumer of the feed wants; will try again",
				"err", err, "in", forgetFeedEvery)
		}
	}
}
