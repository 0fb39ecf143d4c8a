package auth

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/picture"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// Queues are where passwords wait for their turn, and where what follows an answer
// waits.
func (s *Service) Queues() []obs.Queue {
	return []obs.Queue{
		{Name: "passwords", Limit: s.Hasher.Limit(), Depth: func() int { return s.Hasher.Load().Waiting },
			Full: func() int64 { return s.Hasher.Load().Refused }},
		{Name: "pictures", Limit: picture.MaxWaiting, Depth: s.pictures.Waiting, Full: s.pictures.Refused},
		s.Queue(),
	}
}

// countLimits registers what the limits of this service decide.
func (s *Service) countLimits(reg prometheus.Registerer) {
	for rule, l := range map[string]*ratelimit.Limiter{
		"sign_ins_of_address": s.logins, "registrations_of_address": s.signups, "mails_of_address": s.mails,
		"mails_to_user": s.letters, "passwords_of_user": s.changes, "pictures_of_user": s.avatars,
		"password_checks_of_user": s.checks,
		"address_changes_of_user": s.moves, "mails_to_address": s.targets, "registration_forms_of_address": s.forms,
		"puzzles_of_address": s.puzzles,
	} {
		if l != nil {
			obs.CountLimit(reg, rule, l)
		}
	}
}
