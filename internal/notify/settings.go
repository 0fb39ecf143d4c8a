package notify

import (
	"context"
	"net/url"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/outbound"
	"github.com/unhidra/unhidra/internal/webpush"
	"github.com/unhidra/unhidra/internal/wire"
)

const maxEndpoint = 2048 // bytes

// Settings returns what p has chosen.
func (s *Service) Settings(ctx context.Context, p domain.Principal) (wire.Notifications, error) {
	if p.Kind != domain.KindUser {
		return wire.Notifications{}, errPeopleOnly()
	}
	settings, choices, err := s.Store.Settings(ctx, p.ID)
	if err != nil {
		return wire.Notifications{}, err
	}
	return wire.FromNotifySettings(settings, choices, s.Now()), nil
}

// PutSettings stores what p has chosen for the account, and tells their other connections.
func (s *Service) PutSettings(
	ctx context.Context, p domain.Principal, settings domain.NotifySettings,
) (wire.Notifications, error) {
	if p.Kind != domain.KindUser {
		return wire.Notifications{}, errPeopleOnly()
	}
	settings, err := domain.CheckNotifySettings(settings, s.Now())
	if err != nil {
		return wire.Notifications{}, err
	}
	for _, keyword := range settings.Keywords {
		if len(wordsOf(keyword)) == 0 {
			return wire.Notifications{}, domain.InvalidField("/keywords",
				"%q has no letters or digits: no message would have it", keyword)
		}
	}
	if err := s.Store.PutSettings(ctx, p.ID, settings); err != nil {
		return wire.Notifications{}, err
	}
	notify(s.wake)
	return s.changed(ctx, p)
}

// Choose stores what p wants to be told of a room or thread, and tells their other connections.
func (s *Service) Choose(ctx context.Context, p domain.Principal, c domain.NotifyChoice) (wire.Notifications, error) {
	if p.Kind != domain.KindUser {
		return wire.Notifications{}, errPeopleOnly()
	}
	if err := domain.CheckRoomID(c.Room); err != nil {
		return wire.Notifications{}, err
	}
	if err := domain.CheckNotifyLevel(c.Level); err != nil {
		return wire.Notifications{}, err
	}
	if err := s.Store.Choose(ctx, p.ID, c, s.Now()); err != nil {
		return wire.Notifications{}, err
	}
	return s.changed(ctx, p)
}

func (s *Service) changed(ctx context.Context, p domain.Principal) (wire.Notifications, error) {
	now, err := s.Settings(ctx, p)
	if err == nil {
		s.tell(ctx, p.ID, now)
	}
	return now, err
}

// tell sends what a user has chosen to their connections.
func (s *Service) tell(ctx context.Context, user string, n wire.Notifications) {
	frame, err := wire.PackReply(wire.TypeNotifications, n)
	if err == nil {
		err = s.Bus.Publish(wire.UserSubject(user), frame)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "tell a user", "user", user, "type", wire.TypeNotifications, "err", err)
	}
}

// Subscribe has pushes sent to a browser or app of p's session, in place of the one before.
func (s *Service) Subscribe(
	ctx context.Context, p domain.Principal, sub domain.Subscription,
) (domain.Subscription, error) {
	if p.Kind != domain.KindUser {
		return sub, errPeopleOnly()
	}
	if p.SessionID == "" {
		return sub, domain.Forbidden.Errorf(domain.CodePeopleOnly, "pushes end with the session; sign in to get them")
	}
	if err := s.checkEndpoint(sub.Endpoint); err != nil {
		return sub, err
	}
	if err := webpush.CheckKeys(sub.Key, sub.Auth); err != nil {
		return sub, domain.InvalidField("/p256dh", "%s", err)
	}
	sub.ID, sub.User, sub.Session = domain.NewID(domain.PushPrefix), p.ID, p.SessionID
	if anybody, err := s.Store.Anybody(ctx); err != nil {
		return sub, err
	} else if !anybody {
		if err := s.Begin(ctx); err != nil {
			return sub, err
		}
	}
	sub.CreatedAt = s.Now()
	sub, err := s.Store.Subscribe(ctx, sub)
	notify(s.wanted)
	return sub, err
}

// checkEndpoint refuses URLs to which nothing would be sent. Which address a name leads to is checked when it is sent.
func (s *Service) checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || len(endpoint) > maxEndpoint || u.Host == "" || u.User != nil || u.Fragment != "" {
		return domain.InvalidField("/endpoint", "this is the URL of a push service, of at most %d bytes", maxEndpoint)
	}
	if outbound.MayCall(u, s.Networks) {
		return nil
	}
	return domain.InvalidField("/endpoint", "push services have https URLs")
}

func errPeopleOnly() error {
	return domain.Forbidden.Errorf(domain.CodePeopleOnly, "only people get notifications")
}

func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}
