package accounts

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

const (
	maxRemembered   = 10 // browsers of a user; adding another forgets the oldest
	rememberedGrace = 30 * time.Second
)

const rememberedColumns = `id, user_id, epoch, created_at, used_at, expires_at, ip, user_agent`

func scanRemembered(rows *sql.Rows) (r domain.Remembered, err error) {
	var created, used, expires int64
	err = rows.Scan(&r.ID, &r.User, &r.Epoch, &created, &used, &expires, &r.IP, &r.UserAgent)
	r.CreatedAt, r.UsedAt, r.Expires = store.Time(created), store.Time(used), store.Time(expires)
	return r, err
}

// Remember stores a browser that is not asked for a second factor.
func (repo *Factors) Remember(ctx context.Context, r domain.Remembered, hash []byte) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx,
			`INSERT INTO remembered (id, user_id, hash, previous, epoch, created_at, used_at, expires_at, ip, user_agent)
			VALUES ($1, $2, $3, $3, $4, $5, $5, $6, $7,
			$8)`, r.ID, r.User, hash, r.Epoch, store.Millis(r.CreatedAt), store.Millis(r.Expires), r.IP, r.UserAgent)
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx,
			`DELETE FROM remembered WHERE user_id = $1 AND id NOT IN (SELECT id FROM remembered WHERE user_id = $1
				ORDER BY created_at DESC, id LIMIT $2)`,
			r.User, maxRemembered)
		return err
	})
}

// BeginRemembered is BeginSession for a browser that need not be asked for a second factor. ok is
// false, and nothing is done, if the browser's secret is not valid. The new secret replaces the one
// that was used. Because two tabs may ask at once, the previous secret is valid for 30 s more;
// fresh is false then, and the new secret was not stored.
func (repo *Sessions) BeginRemembered(
	ctx context.Context, s domain.Session, epoch int64, refresh []byte, p domain.Proof, r domain.RememberedUse,
) (ok, fresh bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := standing(ctx, t, s.User, epoch); err != nil {
			return err
		}
		if ok, fresh, err = useRemembered(ctx, t, r, s.User, epoch, s.CreatedAt); err != nil || !ok {
			return err
		}
		return begin(ctx, t, s, refresh, p)
	})
	return ok && err == nil, fresh && err == nil, err
}

func useRemembered(
	ctx context.Context, t *store.Tx, r domain.RememberedUse, user string, epoch int64, now time.Time,
) (ok, fresh bool, err error) {
	res, err := t.ExecContext(ctx, `UPDATE remembered SET previous = hash, hash = $5, used_at = $6
		WHERE id = $1 AND user_id = $2 AND epoch = $3 AND hash = $4
		AND expires_at > $6`, r.ID, user, epoch, r.Hash, r.Next, store.Millis(now))
	if err != nil {
		return false, false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return n == 1, n == 1, err
	}
	var used int64
	err = t.QueryRowContext(ctx,
		`SELECT used_at FROM remembered WHERE id = $1 AND user_id = $2 AND epoch = $3 AND previous = $4 AND expires_at > $5`,
		r.ID, user, epoch, r.Hash, store.Millis(now)).Scan(&used)
	if errors.Is(err, sql.ErrNoRows) {
		return false, false, nil
	}
	return now.Sub(store.Time(used)) < rememberedGrace, false, err
}

// RememberedOf returns the remembered browsers of a user, last used first.
func (repo *Factors) RememberedOf(ctx context.Context, user string, now time.Time) ([]domain.Remembered, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+rememberedColumns+
		` FROM remembered r WHERE user_id = $1 AND expires_at > $2
		AND epoch = (SELECT epoch FROM users WHERE id = $1) ORDER BY used_at DESC, id`, user, store.Millis(now))
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanRemembered)
}

// ForgetRemembered forgets one of a user's browsers, or all if id is empty.
func (repo *Factors) ForgetRemembered(ctx context.Context, user, id string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM remembered WHERE user_id = $1 AND ($2 = '' OR id = $2)`, user, id)
		return err
	})
}
