package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const passkeyColumns = `id, user_id, name, credential, created_at, used_at`

func scanPasskey(rows *sql.Rows) (p domain.Passkey, err error) {
	var created, used int64
	err = rows.Scan(&p.ID, &p.User, &p.Name, &p.Credential, &created, &used)
	p.CreatedAt, p.UsedAt = at(created), at(used)
	return p, err
}

// maxPasskeys is how many a user may have.
const maxPasskeys = 10

// AddPasskey keeps a new credential of a user of this epoch; codes, where the account had no
// second factor before, are its recovery codes.
func (db *DB) AddPasskey(ctx context.Context, p domain.Passkey, epoch int64, codes [][]byte, now time.Time) error {
	err := db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.standing(ctx, p.User, epoch); err != nil {
			return err
		}
		var n int
		if err := t.QueryRowContext(ctx, `SELECT count(*) FROM passkeys WHERE user_id = $1`, p.User).Scan(&n); err != nil {
			return err
		}
		if n >= maxPasskeys {
			return domain.Conflict.Errorf("too_many_passkeys", "an account has at most %d passkeys; remove one first", maxPasskeys)
		}
		_, err := t.ExecContext(ctx, `INSERT INTO passkeys (`+passkeyColumns+`) VALUES ($1, $2, $3, $4, $5, 0)`, p.ID, p.User, p.Name, string(p.Credential), ms(now))
		if err != nil || codes == nil {
			return err
		}
		return t.replaceCodes(ctx, p.User, codes)
	})
	if unique, _ := db.dialect.conflict(err); unique {
		return domain.Conflict.Errorf("has_passkey", "this passkey is known already").Because(err)
	}
	return err
}

// Passkeys returns a user's credentials, the oldest first.
func (db *DB) Passkeys(ctx context.Context, user string) ([]domain.Passkey, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+passkeyColumns+` FROM passkeys WHERE user_id = $1 ORDER BY created_at, id`, user)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanPasskey)
}

// UsePasskey keeps what a sign-in changed of a credential: its counter. One that was
// removed in the meantime is not_found.
func (db *DB) UsePasskey(ctx context.Context, p domain.Passkey, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		res, err := t.ExecContext(ctx, `UPDATE passkeys SET credential = $3, used_at = $4 WHERE id = $1 AND user_id = $2`, p.ID, p.User, string(p.Credential), ms(now))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errNoPasskey())
		}
		return nil
	})
}

// RenamePasskey gives a user's credential another name.
func (db *DB) RenamePasskey(ctx context.Context, user, id, name string) error {
	return db.passkeyChange(ctx, `UPDATE passkeys SET name = $3 WHERE id = $1 AND user_id = $2`, id, user, name)
}

// DeletePasskey takes a user's credential away.
func (db *DB) DeletePasskey(ctx context.Context, user, id string) error {
	return db.passkeyChange(ctx, `DELETE FROM passkeys WHERE id = $1 AND user_id = $2`, id, user)
}

func errNoPasskey() error {
	return domain.NotFound.Errorf("no_passkey", "there is no such passkey")
}

func (db *DB) passkeyChange(ctx context.Context, query, id, user string, args ...any) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		res, err := t.ExecContext(ctx, query, append([]any{id, user}, args...)...)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errNoPasskey())
		}
		if len(args) > 0 {
			return nil
		}
		return t.factorsChanged(ctx, user)
	})
}

// LinkIdentity lets an account at a provider sign in as a user of this epoch.
func (db *DB) LinkIdentity(ctx context.Context, i domain.Identity, epoch int64) error {
	err := db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.standing(ctx, i.User, epoch); err != nil {
			return err
		}
		return t.linkIdentity(ctx, i)
	})
	if unique, _ := db.dialect.conflict(err); unique {
		return domain.Conflict.Errorf("identity_taken", "this account at the provider signs in as somebody else").Because(err)
	}
	return err
}

func (t *tx) linkIdentity(ctx context.Context, i domain.Identity) error {
	_, err := t.ExecContext(ctx, `INSERT INTO identities (issuer, subject, user_id, email, created_at) VALUES ($1, $2, $3, $4, $5)`,
		i.Issuer, i.Subject, i.User, i.Email, ms(i.CreatedAt))
	return err
}

// IdentityUser returns who signs in by an account at a provider, or not_found.
func (db *DB) IdentityUser(ctx context.Context, issuer, subject string) (domain.User, error) {
	return oneUser(usersWhere(ctx, db.read, `u.id = (SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2)`, issuer, subject))
}

// Identities returns the accounts at providers that sign in as a user.
func (db *DB) Identities(ctx context.Context, user string) ([]domain.Identity, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT issuer, subject, user_id, email, created_at FROM identities WHERE user_id = $1 ORDER BY created_at`, user)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (i domain.Identity, err error) {
		var created int64
		err = rows.Scan(&i.Issuer, &i.Subject, &i.User, &i.Email, &created)
		i.CreatedAt = at(created)
		return i, err
	})
}

// UnlinkIdentities ends a user's sign-in by a provider.
func (db *DB) UnlinkIdentities(ctx context.Context, user, issuer string) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM identities WHERE user_id = $1 AND issuer = $2`, user, issuer)
		return err
	})
}
