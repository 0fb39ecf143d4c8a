package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	maxRemembered   = 10 // browsers of a user; the oldest goes
	rememberedGrace = 30 * time.Second
)

const rememberedColumns = `id, user_id, epoch, created_at, used_at, expires_at, ip, user_agent`

func scanRemembered(rows *sql.Rows) (r domain.Remembered, err error) {
	var created, used, expires int64
	err = rows.Scan(&r.ID, &r.User, &r.Epoch, &created, &used, &expires, &r.IP, &r.UserAgent)
	r.CreatedAt, r.UsedAt, r.Expires = at(created), at(used), at(expires)
	return r, err
}

// Remember keeps a browser that is not to be asked for a second factor.
func (db *DB) Remember(ctx context.Context, r domain.Remembered, hash []byte) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO remembered (id, user_id, hash, previous, epoch, created_at, used_at, expires_at, ip, user_agent)
			VALUES ($1, $2, $3, $3, $4, $5, $5, $6, $7, $8)`, r.ID, r.User, hash, r.Epoch, ms(r.CreatedAt), ms(r.Expires), r.IP, r.UserAgent)
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM remembered WHERE user_id = $1 AND id NOT IN (SELECT id FROM remembered WHERE user_id = $1 ORDER BY created_at DESC, id LIMIT $2)`,
			r.User, maxRemembered)
		return err
	})
}

// UseRemembered reports whether a browser shows the secret that it was given,
// and replaces that by next. The one before is good for half a minute more: two
// tabs may ask at once. fresh is false then: next was not kept.
func (db *DB) UseRemembered(ctx context.Context, id, user string, epoch int64, hash, next []byte, now time.Time) (ok, fresh bool, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		ok, fresh = false, false
		res, err := t.ExecContext(ctx, `UPDATE remembered SET previous = hash, hash = $5, used_at = $6
			WHERE id = $1 AND user_id = $2 AND epoch = $3 AND hash = $4 AND expires_at > $6`, id, user, epoch, hash, next, ms(now))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			ok, fresh = n == 1, n == 1
			return err
		}
		var used int64
		err = t.QueryRowContext(ctx, `SELECT used_at FROM remembered WHERE id = $1 AND user_id = $2 AND epoch = $3 AND previous = $4 AND expires_at > $5`,
			id, user, epoch, hash, ms(now)).Scan(&used)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		ok = now.Sub(at(used)) < rememberedGrace
		return err
	})
	return ok, fresh, err
}

// RememberedOf lists the browsers of a user that are remembered, the last used
// first.
func (db *DB) RememberedOf(ctx context.Context, user string, now time.Time) ([]domain.Remembered, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+rememberedColumns+` FROM remembered r WHERE user_id = $1 AND expires_at > $2
		AND epoch = (SELECT epoch FROM users WHERE id = $1) ORDER BY used_at DESC, id`, user, ms(now))
	if err != nil {
		return nil, err
	}
	return collect(rows, scanRemembered)
}

// ForgetRemembered has one of a user's browsers asked again, or all with an
// empty id.
func (db *DB) ForgetRemembered(ctx context.Context, user, id string) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM remembered WHERE user_id = $1 AND ($2 = '' OR id = $2)`, user, id)
		return err
	})
}
