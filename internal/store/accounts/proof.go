package accounts

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// use consumes a proof. It fails with wrong_code if the code was used in the meantime, and with
// no_passkey if the passkey was removed.
func use(ctx context.Context, t *store.Tx, user string, p domain.Proof, now time.Time) error {
	if p.TOTPStep != 0 { // a code is valid once, and makes all earlier ones invalid
		res, err := t.ExecContext(ctx,
			`UPDATE totp SET last_step = $2 WHERE user_id = $1 AND confirmed > 0 AND last_step < $2`,
			user, p.TOTPStep)
		if err := one(res, err, errCodeUsed()); err != nil {
			return err
		}
	}
	if p.Recovery != nil {
		res, err := t.ExecContext(ctx,
			`UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND hash = $2 AND used_at = 0`,
			user, p.Recovery, store.Millis(now))
		if err := one(res, err, errCodeUsed()); err != nil {
			return err
		}
	}
	if k := p.Passkey; k != nil {
		res, err := t.ExecContext(ctx, `UPDATE passkeys SET credential = $3, used_at = $4 WHERE id = $1 AND user_id = $2`,
			k.ID, user, string(k.Credential), store.Millis(now))
		if err := one(res, err, errNoPasskey()); err != nil {
			return err
		}
	}
	return refund(ctx, t, p.Attempts)
}

// one returns none if a statement changed no row.
func one(res sql.Result, err, none error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, none)
	}
	return nil
}

func errCodeUsed() error {
	return domain.Unauthorized.Errorf(domain.CodeWrongCode, "this code is used already; try the next one")
}
