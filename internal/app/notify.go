package app

import (
	"context"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/notify"
	"github.com/unhidra/unhidra/internal/outbound"
	"github.com/unhidra/unhidra/internal/webpush"
)

// pushTimeout is how long a push service may take for one push.
const pushTimeout = 15 * time.Second

// buildNotify makes the module of notifications. Nothing reads the feed for it until somebody gets pushes.
func (s *server) buildNotify() error {
	c, m := s.Config, &s.modules
	// Apple's push service refuses names such as localhost, at which no browser gets pushes anyway.
	subject := s.addrs.URL
	if c.TLS.Email != "" {
		subject = "mailto:" + c.TLS.Email
	} else if !strings.HasPrefix(subject, "https:") {
		subject = "https://unhidra.invalid"
	}
	sender, err := webpush.NewSender(s.keys.Derive("web push"), subject, outbound.Client(c.PrivateNetworks, pushTimeout))
	if err != nil {
		return err
	}
	d := notify.Deps{
		Store: s.db.Notifications, Presence: m.presence, Sender: sender, Bus: s.bus, Networks: c.PrivateNetworks,
		Begin: func(ctx context.Context) error {
			now := time.Now()
			_, _, err := s.db.Feed.ClaimCursor(ctx, notify.ConsumerName, "first subscriber", feed.Now, now, now)
			return err
		},
		Log: s.logs.Part("notify"), Metrics: s.reg, URL: s.addrs.URL, Key: s.keys.Derive("digest"),
	}
	if m.mail != nil {
		d.Mail = m.mail
	}
	m.notify = notify.New(d)
	if !c.Works() {
		return nil
	}
	s.run("pushes", m.notify.Run)
	if m.mail != nil {
		s.run("digests", m.notify.RunDigests)
	}
	s.run("notifications", func(ctx context.Context) error {
		if err := m.notify.Wanted(ctx); err != nil {
			return err
		}
		feed.Run(ctx, s.feed, m.notify.Consumer(), &s.appended)
		return ctx.Err()
	})
	return nil
}
