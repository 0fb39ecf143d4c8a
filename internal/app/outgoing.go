package app

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/outbound"
	"github.com/unhidra/unhidra/internal/webhook/outgoing"
)

// OutgoingKey names the key from which the secrets of outgoing webhooks and slash commands are derived.
const OutgoingKey = "outgoing webhooks"

// buildOutgoing makes the module of outgoing webhooks and slash commands. Nothing reads the feed for it until somebody
// makes one.
func (s *server) buildOutgoing() {
	c, m := s.Config, &s.modules
	m.outgoing = outgoing.New(outgoing.Deps{
		Store: s.db.OutHooks, Queue: s.db.OutHooks, Slash: s.db.Slash, Chat: m.chat, Bus: s.bus, Audit: m.audit,
		Begin: func(ctx context.Context) error {
			now := time.Now()
			_, _, err := s.db.Feed.ClaimCursor(ctx, outgoing.ConsumerName, "first webhook", feed.Now, now, now)
			return err
		},
		Client: outbound.Client(c.PrivateNetworks, outgoing.Timeout), Networks: c.PrivateNetworks,
		Hash: s.keys.Hash, URL: s.addrs.URL,
		Key: s.keys.Derive(OutgoingKey), Log: s.logs.Part("webhook"), Metrics: s.reg,
	})
	if !c.Works() {
		return
	}
	s.run("webhooks", m.outgoing.Run)
	s.run("webhook queue", func(ctx context.Context) error {
		if err := m.outgoing.Wanted(ctx); err != nil {
			return err
		}
		feed.Run(ctx, s.feed, m.outgoing.Consumer(), &s.appended)
		return ctx.Err()
	})
}
