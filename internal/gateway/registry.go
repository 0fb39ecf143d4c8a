package gateway

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/unhidra/unhidra/internal/ratelimit"
)

// registry knows every connection, by user and by address.
type registry struct {
	seed   maphash.Seed
	shards [64]userShard
	count  atomic.Int64

	mu     sync.Mutex
	closed bool
	empty  chan struct{} // closed when closed and without connections
	addrs  *ratelimit.Tally
}

type userShard struct {
	mu    sync.RWMutex
	users map[string]*userHub
}

// userHub holds the connections of one user, and the subscription to what is
// said to that user.
type userHub struct {
	id     string
	conns  []*conn
	coming int // reserved
	unsub  func()
}

func (rg *registry) init(perAddr int) {
	rg.seed = maphash.MakeSeed()
	rg.empty = make(chan struct{})
	rg.addrs = ratelimit.NewTally(perAddr)
	for i := range rg.shards {
		rg.shards[i].users = make(map[string]*userHub)
	}
}

func (rg *registry) shard(user string) *userShard {
	return &rg.shards[maphash.String(rg.seed, user)%uint64(len(rg.shards))]
}

// admit counts a connection from addr. It reports false if there are too many of
// them already, or, with draining, if none is admitted any more.
func (rg *registry) admit(addr netip.Addr) (ok, draining bool) {
	rg.mu.Lock()
	defer rg.mu.Unlock()
	if rg.closed {
		return false, true
	}
	if !rg.addrs.Take(addr) {
		return false, false
	}
	rg.count.Add(1)
	return true, false
}

// release undoes admit.
func (rg *registry) release(addr netip.Addr) {
	rg.mu.Lock()
	defer rg.mu.Unlock()
	rg.addrs.Give(addr)
	if rg.count.Add(-1) == 0 && rg.closed {
		close(rg.empty)
	}
}

// close admits no more connections, and returns a channel that is closed when
// the last one has gone.
func (rg *registry) close() <-chan struct{} {
	rg.mu.Lock()
	defer rg.mu.Unlock()
	if !rg.closed {
		rg.closed = true
		if rg.count.Load() == 0 {
			close(rg.empty)
		}
	}
	return rg.empty
}

// reserve makes room for one more connection of a user, for which add or
// cancel must be called. It reports false if the user has limit connections
// already. What is said to the user is listened to from now on.
func (rg *registry) reserve(user string, limit int, subscribe func(user string) (func(), error)) (bool, error) {
	s := rg.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.users[user]
	if h == nil {
		unsub, err := subscribe(user)
		if err != nil {
			return false, err
		}
		h = &userHub{id: user, unsub: unsub}
		s.users[user] = h
	}
	if limit > 0 && len(h.conns)+h.coming >= limit {
		return false, nil
	}
	h.coming++
	return true, nil
}

// add registers a connection that was reserved.
func (rg *registry) add(c *conn) {
	s := rg.shard(c.user.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.users[c.user.ID]
	h.coming--
	h.conns = append(h.conns, c)
}

// cancel undoes reserve.
func (rg *registry) cancel(user string) {
	s := rg.shard(user)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.users[user]
	h.coming--
	s.tidy(h)
}

// remove forgets c.
func (rg *registry) remove(c *conn) {
	s := rg.shard(c.user.ID)
	s.mu.Lock()
	h := s.users[c.user.ID]
	i := slices.Index(h.conns, c)
	h.conns = slices.Delete(h.conns, i, i+1)
	s.tidy(h)
	s.mu.Unlock()
	rg.release(c.addr)
}

// tidy forgets a user without connections.
func (s *userShard) tidy(h *userHub) {
	if len(h.conns) == 0 && h.coming == 0 {
		delete(s.users, h.id)
		h.unsub()
	}
}

// ofUser returns the connections of a user.
func (rg *registry) ofUser(user string) []*conn {
	s := rg.shard(user)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if h := s.users[user]; h != nil {
		return slices.Clone(h.conns)
	}
	return nil
}

// slice returns the connections of one part of the registry, of as many parts
// as there are shards.
func (rg *registry) slice(part int, to []*conn) []*conn {
	s := &rg.shards[part]
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, h := range s.users {
		to = append(to, h.conns...)
	}
	return to
}

// all returns every connection.
func (rg *registry) all() []*conn {
	var all []*conn
	for i := range rg.shards {
		all = rg.slice(i, all)
	}
	return all
}

// users returns how many users are connected.
func (rg *registry) users() int {
	n := 0
	for i := range rg.shards {
		s := &rg.shards[i]
		s.mu.RLock()
		n += len(s.users)
		s.mu.RUnlock()
	}
	return n
}
