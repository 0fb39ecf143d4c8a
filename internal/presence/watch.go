package presence

import (
	"context"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
)

// MaxWatched is the number of users that one connection can watch.
const MaxWatched = 500

// Watch replaces the users that a connection watches, and returns their present state. Users who
// share no room with its user are left out silently, so that nobody learns which ids exist.
func (s *Service) Watch(ctx context.Context, id string, users []string) ([]domain.Presence, error) {
	if len(users) > MaxWatched {
		return nil, domain.InvalidField("/users", "at most %d people can be watched", MaxWatched)
	}
	s.mu.Lock()
	c := s.conns[id]
	s.mu.Unlock()
	if c == nil {
		return nil, domain.NotFound.Errorf(domain.CodeNoConnection, "this connection has ended")
	}
	allowed, err := s.visible(ctx, c.user, users)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.unwatch(c)
	if s.conns[id] == c {
		s.watch(c, allowed)
	}
	s.mu.Unlock()
	return s.currentOrStored(ctx, c.user, allowed)
}

// Presences returns the presence of those of users who share a room with
// viewer.
func (s *Service) Presences(ctx context.Context, viewer string, users []string) ([]domain.Presence, error) {
	allowed, err := s.visible(ctx, viewer, users)
	if err != nil {
		return nil, err
	}
	return s.currentOrStored(ctx, viewer, allowed)
}

// visible returns those of users whom viewer may see: viewer, and users who share a room with
// viewer.
func (s *Service) visible(ctx context.Context, viewer string, users []string) ([]string, error) {
	users = slices.Compact(slices.Sorted(slices.Values(users)))
	i, self := slices.BinarySearch(users, viewer)
	if self {
		users = slices.Delete(users, i, i+1)
	}
	if len(users) > 0 {
		shared, err := s.Peers.SharesRoom(ctx, viewer, users)
		if err != nil {
			return nil, err
		}
		users = shared
	}
	if self {
		users = append(users, viewer)
	}
	return users, nil
}

// currentOrStored returns the presence of users as viewer sees it. Users who are not connected are
// read from the store.
func (s *Service) currentOrStored(ctx context.Context, viewer string, users []string) ([]domain.Presence, error) {
	now := s.Now()
	ps := make([]domain.Presence, 0, len(users))
	var away, devices []string
	s.mu.Lock()
	for _, u := range users {
		if isDevice(u) {
			devices = append(devices, u)
			continue
		}
		p, connected := s.current(u, now)
		if connected && p.Is != domain.Offline {
			ps = append(ps, p)
			continue
		}
		away = append(away, u)
	}
	s.mu.Unlock()
	ps, err := s.appendDevices(ctx, ps, devices)
	if err != nil || len(away) == 0 {
		return ps, err
	}
	stored, err := s.Users.UsersByID(ctx, away)
	if err != nil {
		return nil, err
	}
	for _, u := range stored {
		p := applyStatus(domain.Presence{User: u.ID, Is: domain.Offline}, u.Status, now)
		p.LastSeen = u.LastSeenAt
		if u.ID == viewer && u.Status.Mode == domain.Invisible {
			p.Is = domain.Invisible
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// watch and unwatch keep the table of watchers. The caller holds s.mu.
func (s *Service) watch(c *conn, users []string) {
	c.watching = users
	for _, u := range users {
		if s.watchers[u] == nil {
			s.watchers[u] = make(map[*conn]bool)
		}
		s.watchers[u][c] = true
	}
}

func (s *Service) unwatch(c *conn) {
	for _, u := range c.watching {
		delete(s.watchers[u], c)
		if len(s.watchers[u]) == 0 {
			delete(s.watchers, u)
		}
	}
	c.watching = nil
}

// OnLeft is called when a user has left a room. It ends the watching, in both directions, between
// the user and those who no longer share a room with them.
func (s *Service) OnLeft(ctx context.Context, user string) {
	s.mu.Lock()
	others := make(map[string]bool)
	for c := range s.watchers[user] {
		others[c.user] = true
	}
	for _, c := range s.localConns(user) {
		for _, u := range c.watching {
			others[u] = true
		}
	}
	s.mu.Unlock()
	delete(others, user)
	if len(others) == 0 {
		return
	}
	ids := make([]string, 0, len(others))
	for u := range others {
		ids = append(ids, u)
	}
	shared, err := s.Peers.SharesRoom(ctx, user, ids)
	if err != nil {
		s.Log.WarnContext(ctx, "cannot see who still shares a room; watching ends", "user", user, "err", err)
	}
	for _, u := range shared {
		delete(others, u)
	}
	s.stopWatching(user, others)
}

// stopWatching ends the watching between user and strangers.
func (s *Service) stopWatching(user string, strangers map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.watchers[user] {
		if strangers[c.user] {
			s.filterWatched(c, func(u string) bool { return u == user })
		}
	}
	for _, c := range s.localConns(user) {
		s.filterWatched(c, func(u string) bool { return strangers[u] })
	}
}

// localConns returns a user's connections to this node. The caller holds s.mu.
func (s *Service) localConns(user string) []*conn {
	if p := s.people[user]; p != nil {
		return p.conns
	}
	return nil
}

// filterWatched removes the users for whom drop returns true from those that c watches.
func (s *Service) filterWatched(c *conn, drop func(user string) bool) {
	keep := slices.DeleteFunc(slices.Clone(c.watching), drop)
	s.unwatch(c)
	s.watch(c, keep)
}

// onUser handles a changed name, picture or status: it delivers frame to the watchers.
func (s *Service) onUser(user string, frame []byte) {
	s.mu.Lock()
	for c := range s.watchers[user] {
		c.deliver(frame)
	}
	_, here := s.people[user]
	s.mu.Unlock()
	if here {
		s.reload(user)
	}
}

// reload reads the status of someone who is connected here.
func (s *Service) reload(user string) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	users, err := s.Users.UsersByID(ctx, []string{user})
	if err != nil || len(users) == 0 {
		s.Log.WarnContext(ctx, "cannot load a status", "user", user, "err", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.people[user]; p != nil {
		p.status = users[0].Status
		s.markChanged(user)
	}
}
