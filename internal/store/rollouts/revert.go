package rollouts

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Revert adds a rollout that takes another one back, and ends that one; both or, as when somebody has taken it back
// already, neither. It returns what has become of the one that ends.
func (repo *Repository) Revert(
	ctx context.Context, back domain.Rollout, y rules, now time.Time,
) (done decided, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := create(ctx, t, back, now); err != nil {
			return err
		}
		r, err := one(ctx, t, back.Reverts)
		if err != nil {
			return err
		}
		if r.State == domain.RolloutReverting || r.State == domain.RolloutReverted {
			return domain.ErrReverted()
		}
		done = decided{Before: r, After: r}
		done.After.State = domain.RolloutReverting
		return changed(ctx, t, y, &done, domain.RolloutEntry{By: back.CreatedBy.ID, What: "reverting"}, now)
	})
	return done, err
}

// reverted ends a rollout that another one has taken back, or not: that was aborted, and may be tried again.
func reverted(ctx context.Context, t *store.Tx, back domain.Rollout, now time.Time) error {
	state := domain.RolloutReverted
	if back.State == domain.RolloutAborted {
		state = domain.RolloutAborted
	}
	_, err := t.ExecContext(ctx, `UPDATE rollouts SET state = $2, revision = revision + 1 WHERE id = $1`, back.Reverts,
		state)
	if err != nil {
		return err
	}
	return note(ctx, t, domain.RolloutEntry{Rollout: back.Reverts, At: now, What: string(state), State: state})
}

// wake has complete rollouts to the devices of r looked at again, whose release is newer than a version_code: there
// may be devices that r kept from them.
func wake(ctx context.Context, t *store.Tx, r domain.Rollout, newer uint32) error {
	_, err := t.ExecContext(ctx, `UPDATE rollouts SET idle = FALSE WHERE owner_id = $1 AND product = $2 AND id <> $3
		AND state = 'completed' AND code > $4`, r.Owner, r.Name, r.ID, newer)
	return err
}
