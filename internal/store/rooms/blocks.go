package rooms

import (
	"context"
	"errors"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// Block has user not hear of other any longer: pending requests of other are declined, and later ones are stored as
// declined. changed is false if other is blocked already. Only people and bots can be blocked, by guests those who
// share a room with them.
func (repo *Repository) Block(ctx context.Context, user, other string) (changed bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		found, err := accounts.Refs(ctx, t, []string{other})
		if err != nil {
			return err
		}
		switch u, ok := found[other]; {
		case !ok:
			return domain.NotFound.Errorf(domain.CodeNoUser, "there is no such user")
		case other == user, u.Kind != domain.KindUser && u.Kind != domain.KindBot:
			return domain.InvalidField("/user", "you can block other people and bots; name one of them")
		}
		guest, err := isGuest(ctx, t, user)
		if err != nil {
			return err
		}
		if guest {
			if near, err := sharesRoom(ctx, t, user, []string{other}); err != nil || len(near) == 0 {
				return errors.Join(err, accounts.ErrNoUser())
			}
		}
		changed, err = block(ctx, t, user, other)
		return err
	})
	return changed, err
}

func block(ctx context.Context, t *store.Tx, user, other string) (changed bool, err error) {
	if err := t.LockKey(ctx, "blocks "+user); err != nil {
		return false, err
	}
	var all, there int
	err = t.QueryRowContext(ctx, `SELECT count(*), count(CASE WHEN other_id = $2 THEN 1 END) FROM blocks
		WHERE user_id = $1`, user, other).Scan(&all, &there)
	if err != nil {
		return false, err
	}
	if there == 0 && all >= domain.MaxBlocked {
		return false, domain.Conflict.Errorf(domain.CodeTooManyBlocked,
			"you have blocked %d people, as many as one person can; unblock somebody first", all)
	}
	if there == 0 {
		_, err := t.ExecContext(ctx, `INSERT INTO blocks (user_id, other_id) VALUES ($1, $2)`, user, other)
		if err != nil {
			return false, err
		}
	}
	_, err = t.ExecContext(ctx,
		`UPDATE room_requests SET state = 'declined' WHERE user_id = $1 AND by_user = $2 AND state = ''`, user, other)
	return there == 0, err
}

// BlockedUsers returns the users whom user has blocked.
func (repo *Repository) BlockedUsers(ctx context.Context, user string) ([]domain.UserRef, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT u.id, u.kind, u.username, u.display_name, u.avatar FROM users u
		WHERE u.id IN (SELECT other_id FROM blocks WHERE user_id = $1) ORDER BY u.username`, user)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, accounts.ScanRef)
}

// blockedIDs returns the ids of the users whom user has blocked.
func (repo *Repository) blockedIDs(ctx context.Context, user string) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT other_id FROM blocks WHERE user_id = $1 ORDER BY other_id`, user)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// Unblock lets user hear of other again, and other send requests again. changed is false if other is not blocked.
func (repo *Repository) Unblock(ctx context.Context, user, other string) (changed bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		done, err := t.ExecContext(ctx, `DELETE FROM blocks WHERE user_id = $1 AND other_id = $2`, user, other)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if err != nil {
			return err
		}
		changed = n > 0
		_, err = t.ExecContext(ctx, `DELETE FROM room_requests WHERE user_id = $1 AND by_user = $2 AND state <> ''`, user,
			other)
		return err
	})
	return changed, err
}
