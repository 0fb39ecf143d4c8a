package accounts

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

const passkeyColumns = `id, user_id, name, credential, created_at, used_at`

func scanPasskey(rows *sql.Rows) (p domain.Passkey, err error) {
	var created, used int64
	err = rows.Scan(&p.ID, &p.User, &p.Name, &p.Credential, &created, &used)
	p.CreatedAt, p.UsedAt = store.Time(created), store.Time(used)
	return p, err
}

// maxPasskeys is how many passkeys a user may have.
const maxPasskeys = 10

// AddPasskey stores a new passkey for a user of this epoch. codes are the recovery codes if this is
// the account's first second factor, and nil otherwise.
func (repo *Factors) AddPasskey(
	ctx context.Context, p domain.Passkey, epoch int64, codes [][]byte, now time.Time,
) error {
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := standing(ctx, t, p.User, epoch); err != nil {
			return err
		}
		var n int
		if err := t.QueryRowContext(ctx, `SELECT count(*) FROM passkeys WHERE user_id = $1`, p.User).Scan(&n); err != nil {
			return err
		}
		if n >= maxPasskeys {
			return domain.Conflict.Errorf(domain.CodeTooManyPasskeys,
				"an account has at most %d passkeys; remove one first", maxPasskeys)
		}
		_, err := t.ExecContext(ctx, `INSERT INTO passkeys (`+passkeyColumns+`) VALUES ($1, $2, $3, $4, $5, 0)`, p.ID, p.User,
			p.Name, string(p.Credential), store.Millis(now))
		if err != nil || codes == nil {
			return err
		}
		return replaceCodes(ctx, t, p.User, codes, now)
	})
	if store.IsUnique(err) {
		return domain.Conflict.Errorf(domain.CodeHasPasskey, "this passkey is already added").Because(err)
	}
	return err
}

// Passkeys returns a user's passkeys, oldest first.
func (repo *Factors) Passkeys(ctx context.Context, user string) ([]domain.Passkey, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+passkeyColumns+
		` FROM passkeys WHERE user_id = $1 ORDER BY created_at, id`, user)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanPasskey)
}

// RenamePasskey renames a user's passkey.
func (repo *Factors) RenamePasskey(ctx context.Context, user, id, name string) error {
	return repo.passkeyChange(ctx, `UPDATE passkeys SET name = $3 WHERE id = $1 AND user_id = $2`, id, user, name)
}

// DeletePasskey deletes a user's passkey.
func (repo *Factors) DeletePasskey(ctx context.Context, user, id string) error {
	return repo.passkeyChange(ctx, `DELETE FROM passkeys WHERE id = $1 AND user_id = $2`, id, user)
}

func errNoPasskey() error {
	return domain.NotFound.Errorf(domain.CodeNoPasskey, "there is no such passkey")
}

func (repo *Factors) passkeyChange(ctx context.Context, query, id, user string, args ...any) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
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
		return factorsChanged(ctx, t, user)
	})
}

// LinkIdentity lets an account at a provider sign in as a user of this epoch. If it signs in as
// somebody else already, it fails with conflict.
func (repo *Factors) LinkIdentity(ctx context.Context, i domain.Identity, epoch int64) error {
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := standing(ctx, t, i.User, epoch); err != nil {
			return err
		}
		return linkIdentity(ctx, t, i)
	})
	if store.IsUnique(err) {
		return domain.Conflict.Errorf(domain.CodeIdentityTaken,
			"this account at the provider signs in as someone else").Because(err)
	}
	return err
}

func linkIdentity(ctx context.Context, t *store.Tx, i domain.Identity) error {
	_, err := t.ExecContext(ctx,
		`INSERT INTO identities (issuer, subject, user_id, email, created_at) VALUES ($1, $2, $3, $4, $5)`,
		i.Issuer, i.Subject, i.User, i.Email, store.Millis(i.CreatedAt))
	return err
}

// IdentityUser returns the user who signs in with an account at a provider, or not_found.
func (repo *Factors) IdentityUser(ctx context.Context, issuer, subject string) (domain.User, error) {
	return oneUser(usersWhere(ctx, repo.db, `u.id = (SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2)`,
		issuer, subject))
}

// Identities returns the accounts at providers that sign in as a user.
func (repo *Factors) Identities(ctx context.Context, user string) ([]domain.Identity, error) {
	rows, err := repo.db.QueryContext(ctx,
		`SELECT issuer, subject, user_id, email, created_at FROM identities WHERE user_id = $1 ORDER BY created_at`, user)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (i domain.Identity, err error) {
		var created int64
		err = rows.Scan(&i.Issuer, &i.Subject, &i.User, &i.Email, &created)
		i.CreatedAt = store.Time(created)
		return i, err
	})
}

// UnlinkIdentities deletes a user's links to a provider.
func (repo *Factors) UnlinkIdentities(ctx context.Context, user, issuer string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM identities WHERE user_id = $1 AND issuer = $2`, user, issuer)
		return err
	})
}

// CreateLinkedUser creates an account without a password that signs in with a provider.
func (repo *Factors) CreateLinkedUser(ctx context.Context, u domain.User, i domain.Identity, now time.Time) error {
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := Create(ctx, t, u, "", now); err != nil {
			return err
		}
		return linkIdentity(ctx, t, i)
	})
	return NameTaken(err)
}
