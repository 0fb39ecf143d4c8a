package accounts

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// SetGuest makes a user a guest until a time, or changes until when a guest is one, in a transaction. A guest whose
// access had ended is back; a time that has passed ends it. It fails with conflict for the last administrator.
func SetGuest(ctx context.Context, t *store.Tx, user string, until, now time.Time) (domain.User, error) {
	before, err := lockUser(ctx, t, user)
	if err != nil {
		return before, err
	}
	if err := KeepAdmin(ctx, t, user); err != nil {
		return before, err
	}
	const set = `role = $2, guest_until = $3, disabled = $4`
	args := []any{domain.SystemGuest, store.Millis(until), before.Disabled && !before.GuestEnded(now)}
	if before.Role == domain.SystemGuest && until.After(now) {
		return changeUser(ctx, t, user, set, args...) // their tokens stay good
	}
	u, err := raiseEpoch(ctx, t, user, set, args...)
	if err != nil || until.After(now) {
		return u, err
	}
	return endGuest(ctx, t, user, now)
}

// DueGuests returns the guests whose access is over at a time, and has not been ended.
func (repo *Repository) DueGuests(ctx context.Context, now time.Time) ([]domain.User, error) {
	return usersWhere(ctx, repo.db, `u.role = 'guest' AND u.guest_until <= $1 AND NOT u.disabled ORDER BY u.guest_until
		LIMIT 100`, store.Millis(now))
}

// EndGuest ends every session of a guest whose access is over, and disables the account. done is false if that was done
// already, or if the access was extended.
func (repo *Repository) EndGuest(
	ctx context.Context, user string, now time.Time,
) (u domain.User, done bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		done = false
		if u, err = lockUser(ctx, t, user); err != nil || u.Disabled || !u.GuestEnded(now) {
			return err
		}
		done = true
		u, err = endGuest(ctx, t, user, now)
		return err
	})
	return u, done, err
}

func endGuest(ctx context.Context, t *store.Tx, user string, now time.Time) (domain.User, error) {
	u, err := raiseEpoch(ctx, t, user, `disabled = TRUE`)
	if err != nil {
		return u, err
	}
	return u, revoke(ctx, t, `user_id = $3`, domain.EndedGuest, now, user)
}

// GuestEnd returns domain.ErrGuestEnded if user is a guest whose access is over, and nil otherwise.
func (repo *Sessions) GuestEnd(ctx context.Context, user string, now time.Time) error {
	users, err := usersWhere(ctx, repo.db, `u.id = $1`, user)
	if err == nil && len(users) > 0 && users[0].GuestEnded(now) {
		return domain.ErrGuestEnded(users[0].GuestUntil)
	}
	return err
}
