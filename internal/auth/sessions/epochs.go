package sessions

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// An account's epoch rises with whatever must end its tokens at once: another
// password, another role, being disabled. That may happen in another process,
// which has no bus to tell by, so the epochs of those who were here are read
// from the store every few seconds.
type epochs struct {
	mu    sync.Mutex
	known map[string]*lastEpoch
}

type lastEpoch struct {
	epoch int64
	used  time.Time
}

const (
	epochKept  = 25 * time.Hour // longer than any token lives
	epochBatch = 500
)

// current returns a user's epoch as it was a few seconds ago. Only the first
// question about a user costs a read.
func (s *Sessions) currentEpoch(ctx context.Context, user string) (int64, error) {
	e := &s.epochs
	e.mu.Lock()
	if l := e.known[user]; l != nil {
		defer e.mu.Unlock()
		l.used = s.Report.Now()
		return l.epoch, nil
	}
	e.mu.Unlock()
	found, err := s.Store.EpochsAbove(ctx, map[string]int64{user: -1})
	if err != nil {
		return 0, err
	}
	epoch := found[user]
	if epoch == domain.NoEpoch {
		return 0, domain.Unauthorized.Errorf(domain.CodeSignedOut, "this account was deleted")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil {
		e.known = make(map[string]*lastEpoch)
	}
	if l := e.known[user]; l != nil && l.epoch > epoch { // read while it rose
		return l.epoch, nil
	}
	e.known[user] = &lastEpoch{epoch, s.Report.Now()}
	return epoch, nil
}

// pollEpochs looks for epochs that have risen, and publishes those, so that the
// sockets of such users close.
func (s *Sessions) pollEpochs(ctx context.Context) error {
	e := &s.epochs
	e.mu.Lock()
	maps.DeleteFunc(e.known, func(_ string, l *lastEpoch) bool { return s.Report.Now().Sub(l.used) > epochKept })
	users := slices.AppendSeq(make([]string, 0, len(e.known)), maps.Keys(e.known))
	e.mu.Unlock()
	known := make(map[string]int64, epochBatch)
	for batch := range slices.Chunk(users, epochBatch) {
		e.fill(known, batch)
		risen, err := s.Store.EpochsAbove(ctx, known)
		if err != nil {
			return err
		}
		for user, epoch := range risen {
			if e.raise(user, epoch) {
				s.Revoke(ctx, bus.Revocation{User: user, Epoch: epoch, Reason: "account_changed"})
			}
		}
	}
	return nil
}

// fill makes known the epochs of these users and no others.
func (e *epochs) fill(known map[string]int64, users []string) {
	clear(known)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, user := range users {
		if l := e.known[user]; l != nil {
			known[user] = l.epoch
		}
	}
}

// raise reports whether it was lower before.
func (e *epochs) raise(user string, epoch int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.known[user]
	if l == nil || epoch <= l.epoch {
		return false
	}
	l.epoch = epoch
	return true
}
