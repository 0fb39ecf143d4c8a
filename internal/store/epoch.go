package store

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
)

// raiseEpoch changes a user and ends, with their access tokens, whatever was begun
// and not completed. It locks the user's row first: a sign-in that completes at the
// same moment comes before it, and its session is seen, or after it, and is refused.
func (t *tx) raiseEpoch(ctx context.Context, user, set string, args ...any) (domain.User, error) {
	if set != "" {
		set += ", "
	}
	u, err := t.changeUser(ctx, user, set+`epoch = epoch + 1`, args...)
	if err != nil {
		return u, err
	}
	return u, t.endBegun(ctx, user)
}

// endBegun deletes the sign-ins on their way and the tickets of a user. Two kinds
// stay: what proves a new account's address, and what brings an earlier address back.
func (t *tx) endBegun(ctx context.Context, user string) error {
	if _, err := t.ExecContext(ctx, `DELETE FROM flows WHERE user_id = $1`, user); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `DELETE FROM tickets WHERE user_id = $1 AND kind NOT IN ($2, $3)`, user, domain.VerifyTicket, domain.EmailUndoTicket)
	return err
}

// lockUser returns a user whom nobody else changes before the commit.
func (t *tx) lockUser(ctx context.Context, user string) (domain.User, error) {
	return oneUser(usersWhere(ctx, t, `u.id = $1`+t.d.forUpdate, user))
}

// standing locks a user and refuses one who is disabled, whose address is not
// proven, or whose epoch has risen: what was begun before counts no more.
func (t *tx) standing(ctx context.Context, user string, epoch int64) (domain.User, error) {
	u, err := t.lockUser(ctx, user)
	if domain.KindOf(err) == domain.NotFound || err == nil && (u.Disabled || u.Pending || u.Epoch != epoch) {
		return u, errFlowEnded()
	}
	return u, err
}
