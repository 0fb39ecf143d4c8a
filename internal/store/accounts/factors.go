package accounts

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Factors returns which second factors a user has.
func (repo *Factors) Factors(ctx context.Context, user string) (f domain.Factors, err error) {
	var since int64
	err = repo.db.QueryRowContext(ctx, `SELECT COALESCE((SELECT confirmed FROM totp WHERE user_id = $1), 0),
		(SELECT count(*) FROM passkeys WHERE user_id = $1), (SELECT count(*) FROM recovery_codes WHERE user_id = $1
		AND used_at = 0)`, user).
		Scan(&since, &f.Passkeys, &f.RecoveryCodes)
	f.TOTP, f.TOTPSince = since > 0, store.Time(since)
	return f, err
}

// TryTOTP stores an unconfirmed seed. It replaces an earlier unconfirmed one. If the user has a
// confirmed seed, it fails with conflict.
func (repo *Factors) TryTOTP(ctx context.Context, v domain.TOTP) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `INSERT INTO totp (user_id, seed, expires) VALUES ($1, $2, $3)
			ON CONFLICT (user_id) DO UPDATE SET seed = excluded.seed, expires = excluded.expires
			WHERE totp.confirmed = 0`, v.User, v.Seed, store.Millis(v.Expires))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.Conflict.Errorf(domain.CodeHasTOTP,
				"this account already has an authenticator app; remove it first"))
		}
		return nil
	})
}

// TOTP returns a user's seed, confirmed or not. If there is none, it fails with not_found.
func (repo *Factors) TOTP(ctx context.Context, user string) (v domain.TOTP, err error) {
	var confirmed, expires int64
	err = repo.db.QueryRowContext(ctx, `SELECT user_id, seed, confirmed, expires FROM totp WHERE user_id = $1`,
		user).Scan(&v.User, &v.Seed, &confirmed, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNoTOTP()
	}
	v.Confirmed, v.Expires = store.Time(confirmed), store.Time(expires)
	return v, err
}

func errNoTOTP() error {
	return domain.NotFound.Errorf(domain.CodeNoTOTP, "this account has no authenticator app")
}

// ConfirmTOTP confirms the seed by its first code, marks the step of that code as used, and stores
// new recovery codes.
func (repo *Factors) ConfirmTOTP(ctx context.Context, user string, step int64, codes [][]byte, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx,
			`UPDATE totp SET confirmed = $2, last_step = $3 WHERE user_id = $1 AND confirmed = 0 AND expires > $2`, user,
			store.Millis(now), step)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.Conflict.Errorf(domain.CodeNoTrial, "this setup took too long; start again"))
		}
		return replaceCodes(ctx, t, user, codes, now)
	})
}

// DeleteTOTP deletes an authenticator app. If no second factor remains, it deletes the recovery
// codes too.
func (repo *Factors) DeleteTOTP(ctx context.Context, user string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `DELETE FROM totp WHERE user_id = $1 AND confirmed > 0`, user)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errNoTOTP())
		}
		return factorsChanged(ctx, t, user)
	})
}

// ReplaceRecoveryCodes replaces the recovery codes of a user.
func (repo *Factors) ReplaceRecoveryCodes(ctx context.Context, user string, codes [][]byte, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context,
		t *store.Tx) error {
		return replaceCodes(ctx, t, user, codes, now)
	})
}

func replaceCodes(ctx context.Context, t *store.Tx, user string, codes [][]byte, now time.Time) error {
	if _, err := t.ExecContext(ctx, `DELETE FROM recovery_codes WHERE user_id = $1`, user); err != nil {
		return err
	}
	for _, hash := range codes {
		if _, err := t.ExecContext(ctx, `INSERT INTO recovery_codes (user_id, hash, created_at) VALUES ($1, $2, $3)`, user,
			hash, store.Millis(now)); err != nil {
			return err
		}
	}
	return nil
}

// ResetFactors deletes all second factors of a user and ends all sessions. The user then signs in
// with the password alone.
func (repo *Factors) ResetFactors(ctx context.Context, user string, now time.Time) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		for _, table := range []string{"totp", "passkeys"} {
			if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, user); err != nil {
				return err
			}
		}
		if err := factorsChanged(ctx, t, user); err != nil {
			return err
		}
		if u, err = raiseEpoch(ctx, t, user, ``); err != nil {
			return err
		}
		return revoke(ctx, t, `user_id = $3`, "factors_reset", now, user)
	})
	return u, err
}

// factorsChanged forgets the remembered browsers of a user. If no second factor remains, it deletes
// the recovery codes.
func factorsChanged(ctx context.Context, t *store.Tx, user string) error {
	if _, err := t.ExecContext(ctx, `DELETE FROM remembered WHERE user_id = $1`, user); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `DELETE FROM recovery_codes WHERE user_id = $1
		AND NOT EXISTS (SELECT 1 FROM totp WHERE user_id = $1 AND confirmed > 0) AND NOT EXISTS (SELECT 1 FROM passkeys
		WHERE user_id = $1)`, user)
	return err
}

// removeAdded deletes the passkeys, TOTP, recovery codes and identities that a user has added since
// a time.
func removeAdded(ctx context.Context, t *store.Tx, user string, since time.Time) (r domain.RemovedFactors, err error) {
	for _, part := range []struct {
		removed *int64
		query   string
	}{
		{&r.Passkeys, `DELETE FROM passkeys WHERE user_id = $1 AND created_at >= $2`},
		{&r.TOTP, `DELETE FROM totp WHERE user_id = $1 AND confirmed >= $2`},
		{&r.RecoveryCodes, `DELETE FROM recovery_codes WHERE user_id = $1 AND created_at >= $2`},
		{&r.Identities, `DELETE FROM identities WHERE user_id = $1 AND created_at >= $2`},
	} {
		res, err := t.ExecContext(ctx, part.query, user, store.Millis(since))
		if err != nil {
			return r, err
		}
		if *part.removed, err = res.RowsAffected(); err != nil {
			return r, err
		}
	}
	return r, factorsChanged(ctx, t, user)
}
