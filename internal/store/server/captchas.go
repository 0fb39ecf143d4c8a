package server

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/store"
)

// UseCaptcha records that a CAPTCHA was used. first is false if any node recorded it before. The
// record is kept until the CAPTCHA expires.
func (repo *Repository) UseCaptcha(ctx context.Context, id []byte, expires time.Time) (first bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `INSERT INTO captchas (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`,
			id, store.Millis(expires))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		first = n == 1
		return err
	})
	return first && err == nil, err
}

// PruneCaptchas deletes the records of expired CAPTCHAs.
func (repo *Repository) PruneCaptchas(ctx context.Context, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM captchas WHERE expires_at < $1`, store.Millis(now))
		return err
	})
}
