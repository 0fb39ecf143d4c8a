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

// A Limit is a rate limit that several operations may share. Each limiter counts by another key;
// nil means no limit.
type Limit struct {
	Name string             // the metrics' label is this and the key, for example "members_of_user"
	User *ratelimit.Limiter // by caller
	Addr *ratelimit.Limiter // by client address; an IPv6 address counts as its /64
	Room *ratelimit.Limiter // by the room in the path, all callers together
}

// Limits are the rate limits of an API, by operation id.
type Limits map[string]*Limit

// Count registers the metrics of all limits.
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

// limit refuses requests over the rate limit, before it reads anything of them.
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

// take counts a request m, and for a room if room is not empty.
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
