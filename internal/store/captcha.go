package store

import (
	"context"
	"time"
)

// UseCaptcha records that a CAPTCHA was used, until it expires. It reports false
// if it was used before, on whichever node.
func (db *DB) UseCaptcha(ctx context.Context, id []byte, expires time.Time) (first bool, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		res, err := t.ExecContext(ctx, `INSERT INTO captchas (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, id, ms(expires))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		first = n == 1
		return err
	})
	return first && err == nil, err
}

// ForgetCaptchas removes those that have expired.
func (db *DB) ForgetCaptchas(ctx context.Context, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM captchas WHERE expires_at < $1`, ms(now))
		return err
	})
}
