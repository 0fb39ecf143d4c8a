package accounts

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// raiseEpoch changes a user and ends, with their access tokens, whatever was begun
// and not completed. It locks the user's row first: a sign-in that completes at the
// same moment comes before it, and its session is seen, or after it, and is refused.
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

// endBegun deletes the sign-ins on their way and the tickets of a user. Two kinds
// stay: what proves a new account's address, and what brings an earlier address back.
func endBegun(ctx context.Context, t *store.Tx, user string) error {
	if _, err := t.ExecContext(ctx, `DELETE FROM flows WHERE user_id = $1`, user); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `DELETE FROM tickets WHERE user_id = $1 AND kind NOT IN ($2, $3)`, user,
		domain.VerifyTicket, domain.EmailUndoTicket)
	return err
}

// restoredEpochs is by how much a restore raises every epoch: by more than it may have
// risen since the backup was made, so that tokens from before the restore end as well.
const restoredEpochs = 1_000_000

// EndAllSessions ends every session and token of everybody, and whatever was begun: the
// database was restored, and holds sessions that have ended since. It returns how many
// sessions were alive.
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

// lockUser returns a user whom nobody else changes before the commit.
func lockUser(ctx context.Context, t *store.Tx, user string) (domain.User, error) {
	return oneUser(usersWhere(ctx, t, `u.id = $1`+t.ForUpdate(), user))
}

// standing locks a user and refuses one who is disabled, whose address is not
// proven, or whose epoch has risen: what was begun before counts no more.
func standing(ctx context.Context, t *store.Tx, user string, epoch int64) (domain.User, error) {
	u, err := lockUser(ctx, t, user)
	if domain.KindOf(err) == domain.NotFound || err == nil && (u.Disabled || u.Pending || u.Epoch != epoch) {
		return u, errFlowEnded()
	}
	return u, err
}
