package accounts

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// raiseEpoch updates a user and increments the epoch, which ends all access tokens, flows and
// tickets of the user. It locks the user's row first. So a concurrent sign-in either completes
// before, and its session is seen, or comes after, and is refused.
func raiseEpoch(ctx context.Context, t *store.Tx, user, set string, args ...any) (domain.User, error) {
	if set != "" {
		set += ", "
	}
	u, err := changeUser(ctx, t, user, set+`epoch = epoch + 1`, args...)
	if err != nil {
		return u, err
	}
	return u, endBegun(ctx, t, user)
}

// endBegun deletes the flows and tickets of a user, except the tickets that verify a new account's
// address and those that restore a former address.
func endBegun(ctx context.Context, t *store.Tx, user string) error {
	if _, err := t.ExecContext(ctx, `DELETE FROM flows WHERE user_id = $1`, user); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `DELETE FROM tickets WHERE user_id = $1 AND kind NOT IN ($2, $3)`, user,
		domain.VerifyTicket, domain.EmailUndoTicket)
	return err
}

// restoredEpochs is added to every epoch by a restore. It exceeds what an epoch may have risen by
// since the backup, so that tokens from before the restore end too.
const restoredEpochs = 1_000_000

// EndAllSessions ends every session, access token, flow and ticket of every user, and forgets all
// remembered browsers. It is called after a restore, because the backup contains sessions that have
// ended since. It returns how many sessions it ended.
func (repo *Sessions) EndAllSessions(ctx context.Context, reason string, now time.Time) (ended int64, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `UPDATE sessions SET revoked_at = $1, reason = $2 WHERE revoked_at = 0`,
			store.Millis(now), reason)
		if err != nil {
			return err
		}
		if ended, err = res.RowsAffected(); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `UPDATE users SET epoch = epoch + $1`, restoredEpochs); err != nil {
			return err
		}
		for _, table := range []string{"flows", "tickets", "remembered"} {
			if _, err := t.ExecContext(ctx, `DELETE FROM `+table); err != nil {
				return err
			}
		}
		return nil
	})
	return ended, err
}

// lockUser returns a user and locks the row until the commit.
func lockUser(ctx context.Context, t *store.Tx, user string) (domain.User, error) {
	return oneUser(usersWhere(ctx, t, `u.id = $1`+t.ForUpdate(), user))
}

// standing locks a user. It fails with unauthorized if the user is missing, disabled or pending, a guest whose access
// has ended, or has another epoch.
func standing(ctx context.Context, t *store.Tx, user string, epoch int64) (domain.User, error) {
	u, err := lockUser(ctx, t, user)
	if err == nil && u.GuestEnded(time.Now()) {
		return u, domain.ErrGuestEnded(u.GuestUntil)
	}
	if domain.KindOf(err) == domain.NotFound || err == nil && (u.Disabled || u.Pending || u.Epoch != epoch) {
		return u, errFlowEnded()
	}
	return u, err
}
