package auth

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/picture"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// Queues are where passwords wait for their turn, and where what follows an answer
// waits.
func (s *Service) Queues() []obs.Queue {
	return []obs.Queue{
		{Name: "passwords", Limit: s.Hasher.Limit(), Depth: func() int { return s.Hasher.Load().Waiting }, Full: func() int64 { return s.Hasher.Load().Refused }},
		{Name: "pictures", Limit: picture.MaxWaiting, Depth: s.pictures.Waiting, Full: s.pictures.Refused},
		{Name: "after_answers", Limit: tasksWaiting, Depth: func() int { return len(s.tasks) }, Full: s.leftOut.Load},
	}
}

// shareOfTurns is how many checks of one name's password may wait for a turn or have
// one: the others find a turn beside those of whoever asks all the time.
const shareOfTurns = 2

// shares counts who waits. The zero value counts nobody yet.
type shares struct {
	mu  sync.Mutex
	now map[string]int
}

// take gives a share to who is named, until done is called. Too many at once are
// refused.
func (s *shares) take(who string) (done func(), err error) {
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

// countLimits registers what the limits of this service decide.
func (s *Service) countLimits(reg prometheus.Registerer) {
	for rule, l := range map[string]*ratelimit.Limiter{
		"sign_ins_of_address": s.logins, "registrations_of_address": s.signups, "mails_of_address": s.mails,
		"mails_to_user": s.letters, "passwords_of_user": s.changes, "pictures_of_user": s.avatars, "password_checks_of_user": s.checks,
		"address_changes_of_user": s.moves, "mails_to_address": s.targets, "registration_forms_of_address": s.forms, "puzzles_of_address": s.puzzles,
	} {
		if l != nil {
			obs.CountLimit(reg, rule, l)
		}
	}
}
