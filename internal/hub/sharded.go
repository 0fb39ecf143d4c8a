package hub

import (
	"hash/maphash"
	"sync"
)

// Shards is how many parts the members are in; see Members.
const Shards = 64

// sharded is a map by id in parts, each of which has its own lock.
type sharded[T any] struct {
	seed  maphash.Seed
	parts [Shards]shard[T]
}

type shard[T any] struct {
	mu   sync.RWMutex
	byID map[string]T
}

func (s *sharded[T]) init() {
	s.seed = maphash.MakeSeed()
	for i := range s.parts {
		s.parts[i].byID = make(map[string]T)
	}
}

// shard returns the part that id belongs to.
func (s *sharded[T]) shard(id string) *shard[T] {
	return &s.parts[maphash.String(s.seed, id)%Shards]
}

// get returns the value of id, or the zero value.
func (s *sharded[T]) get(id string) T {
	p := s.shard(id)
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.byID[id]
}

// all returns every value.
func (s *sharded[T]) all() []T {
	var all []T
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		for _, v := range p.byID {
			all = append(all, v)
		}
		p.mu.RUnlock()
	}
	return all
}

func (s *sharded[T]) count() int {
	n := 0
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		n += len(p.byID)
		p.mu.RUnlock()
	}
	return n
}
