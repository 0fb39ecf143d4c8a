package app

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/moderation"
)

// buildModeration makes the module of reports and of screening. Nothing reads the feed for it until a room asks for
// that.
func (s *server) buildModeration() {
	m := &s.modules
	m.moderation = moderation.New(moderation.Deps{
		Store: s.db.Moderation, Rooms: s.db.Rooms, Proofs: m.auth, Audit: m.audit, Bus: s.bus, Log: s.logs.Part("moderation"),
		DiskFull: s.reserve.Full, Metrics: s.reg,
	})
	if !s.Config.Works() {
		return
	}
	s.run("screening", func(ctx context.Context) error {
		if err := m.moderation.Wanted(ctx); err != nil {
			return err
		}
		feed.Run(ctx, s.feed, m.moderation.Consumer(), &s.appended)
		return ctx.Err()
	})
}

// beginScreening has the feed keep what is committed from now on for the screening, until it runs.
func (s *server) beginScreening(ctx context.Context) error {
	now := time.Now()
	_, _, err := s.db.Feed.ClaimCursor(ctx, moderation.ConsumerName, "first room", feed.Now, now, now)
	return err
}
