package httpx

import (
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// A Limit is what operations that share it may be called in all. Each of its parts
// counts by another key; nil counts nothing.
type Limit struct {
	Name string             // the metrics' rule is this and what is counted by: "members_of_user"
	User *ratelimit.Limiter // by the caller, once it is known
	Addr *ratelimit.Limiter // by the client's address; an IPv6 address counts as its /64
	Room *ratelimit.Limiter // by the room that the path names, all callers together
}

// Limits are those of an API, by the id of the operation.
type Limits map[string]*Limit

// Count registers what the limits decide, each once.
func (ls Limits) Count(reg prometheus.Registerer) {
	seen := make(map[*Limit]bool)
	for _, l := range ls {
		if seen[l] {
			continue
		}
		seen[l] = true
		for by, limiter := range map[string]*ratelimit.Limiter{"user": l.User, "address": l.Addr, "room": l.Room} {
			if limiter != nil {
				obs.CountLimit(reg, l.Name+"_of_"+by, limiter)
			}
		}
	}
}

// limit refuses what is too often, before anything of the request is read.
func limit(limits Limits) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		l := limits[ctx.Operation().OperationID]
		if l == nil {
			next(ctx)
			return
		}
		r, w := humago.Unwrap(ctx)
		if err := l.take(from(r.Context()), ctx.Param("room"), time.Now()); err != nil {
			Fail(w, r, err)
			return
		}
		next(ctx)
	}
}

// take counts one call of m, to a room if that is named.
func (l *Limit) take(m *request, room string, now time.Time) error {
	refused := func(limiter *ratelimit.Limiter, key string) error {
		if limiter == nil {
			return nil
		}
		if ok, wait := limiter.Allow(key, now); !ok {
			return errRateLimited(wait)
		}
		return nil
	}
	if m.known {
		if err := refused(l.User, m.principal.ID); err != nil {
			return err
		}
	}
	if l.Addr != nil {
		if ok, wait := l.Addr.AllowAddr(m.addr, now); !ok {
			return errRateLimited(wait)
		}
	}
	if !domain.ValidID(domain.RoomPrefix, room) {
		return nil
	}
	return refused(l.Room, room)
}

func errRateLimited(wait time.Duration) error {
	return domain.RateLimited.Errorf(domain.CodeTooManyChanges,
		"you are doing this too often; try again in a moment").After(wait)
}
