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
		return changed(ctx, t, y, &done, domain.RolloutEntry{By: back.CreatedBy, What: "reverting"}, now)
	})
	return done, err
}

// reverted ends a rollout that another one has taken back, or not: one that ended before it was complete leaves it
// aborted, so that it can be taken back again. by is who ended that one; zero: it is complete.
func reverted(ctx context.Context, t *store.Tx, back domain.Rollout, by domain.UserRef, now time.Time) error {
	r, err := one(ctx, t, back.Reverts)
	if err != nil || r.State != domain.RolloutReverting {
		return err
	}
	r.State = domain.RolloutAborted
	if back.State == domain.RolloutCompleted {
		r.State = domain.RolloutReverted
	}
	r.Revision++
	err = note(ctx, t, domain.RolloutEntry{Rollout: r.ID, At: now, By: by, What: string(r.State), Stage: r.Stage,
		State: r.State})
	if err != nil {
		return err
	}
	if err := tell(ctx, t, &r, by.ID, "", now); err != nil {
		return err
	}
	return save(ctx, t, r)
}

// RevertedBy returns the id of the rollout that takes r back, or has done so: the newest, if others ended before;
// empty: none.
func (repo *Repository) RevertedBy(ctx context.Context, r domain.Rollout) (id string, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT COALESCE(max(id), '') FROM rollouts WHERE product_id = $1 AND reverts = $2`,
		r.Product, r.ID).Scan(&id)
	return id, err
}

// wake has complete rollouts to the devices of r looked at again, whose release is newer than a version_code: there
// may be devices that r kept from them.
func wake(ctx context.Context, t *store.Tx, r domain.Rollout, newer uint32) error {
	_, err := t.ExecContext(ctx, `UPDATE rollouts SET idle = FALSE WHERE owner_id = $1 AND product = $2 AND id <> $3
		AND state = 'completed' AND code > $4`, r.Owner, r.Name, r.ID, newer)
	return err
}
