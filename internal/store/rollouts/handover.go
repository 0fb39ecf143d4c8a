package rollouts

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Handover ends what a device that changes hands has to do with rollouts that reached it for its former owner: its
// updates, and that it has joined a product.
func Handover(ctx context.Context, t *store.Tx, device string, now time.Time) error {
	if _, err := t.ExecContext(ctx, `DELETE FROM firmware_joins WHERE device_id = $1`, device); err != nil {
		return err
	}
	_, err := withdraw(ctx, t, device, "", now)
	return err
}

// withdraw ends the open updates of a device by rollouts of a product, or of any. The device is told with the answer
// to its next word, and stops.
func withdraw(
	ctx context.Context, t *store.Tx, device, product string, now time.Time,
) (ended []domain.Update, err error) {
	had, err := updates(ctx, t, `u.device_id = $1 AND ($2 = '' OR u.rollout_id IN (SELECT id FROM rollouts
		WHERE product_id = $2)) ORDER BY u.id`+t.ForUpdate(), device, product)
	if err != nil {
		return nil, err
	}
	for _, u := range had {
		if !u.State.Open() {
			continue
		}
		u = withdrawn(u, now)
		if err := saveUpdate(ctx, t, u); err != nil {
			return nil, err
		}
		ended = append(ended, u)
	}
	return ended, nil
}

// withdrawn is an open update whose device is not to be changed any more. If it joins again, its owner is asked again.
func withdrawn(u domain.Update, now time.Time) domain.Update {
	u.State, u.Reason, u.Agreed = domain.UpdateCanceled, domain.WhyWithdrawn, false
	u.EndedAt, u.ChangedAt, u.Due = now, now, time.Time{}
	return u
}

// EraseUser deletes what is known of the firmware of a user's devices, and the user's rollouts: the account is being
// deleted.
func EraseUser(ctx context.Context, t *store.Tx, user string) error {
	const theirs = `(SELECT id FROM devices WHERE owner_id = $1)`
	for _, what := range []string{
		`firmware_joins WHERE publisher_id = $1 OR device_id IN ` + theirs,
		`rollout_updates WHERE device_id IN ` + theirs,
		`firmware_crashes WHERE device_id IN ` + theirs,
		`device_firmware WHERE device_id IN ` + theirs,
		`rollouts WHERE owner_id = $1`,
	} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+what, user); err != nil {
			return err
		}
	}
	return nil
}
