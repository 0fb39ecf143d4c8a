package lockout

import (
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// shareOfTurns is how many checks of one name's password may wait for a turn or have
// one: the others find a turn beside those of whoever asks all the time.
const shareOfTurns = 2

// Shares counts who waits. The zero value counts nobody yet.
type Shares struct {
	mu  sync.Mutex
	now map[string]int
}

// Take gives a share to who is named, until done is called. Too many at once are
// refused.
func (s *Shares) Take(who string) (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now[who] >= shareOfTurns {
		return nil, domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"this password is being checked already; wait a moment").After(time.Second)
	}
	if s.now == nil {
		s.now = make(map[string]int)
	}
	s.now[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.now[who]--; s.now[who] == 0 {
			delete(s.now, who)
		}
	}, nil
}
