package rollouts

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Handover cancels the updates of a device that changes hands, as far as it can still be told not to install them:
// they are those of its former owner.
func Handover(ctx context.Context, t *store.Tx, device string, now time.Time) error {
	had, err := updates(ctx, t, `u.device_id = $1 ORDER BY u.id`+t.ForUpdate(), device)
	if err != nil {
		return err
	}
	for _, u := range had {
		if !u.State.Open() || !u.State.Stoppable() {
			continue
		}
		u.State, u.EndedAt, u.ChangedAt, u.Due = domain.UpdateCanceled, now, now, time.Time{}
		if err := saveUpdate(ctx, t, u); err != nil {
			return err
		}
	}
	return nil
}
