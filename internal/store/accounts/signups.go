package accounts

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// CreateSignupInvite stores an invitation to the server under the hash of its code.
func (repo *Repository) CreateSignupInvite(ctx context.Context, i domain.SignupInvite, hash []byte) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx,
			`INSERT INTO signup_invites (id, hash, note, created_by, created_at, expires_at, max_uses)
				VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			i.ID, hash, i.Note, i.CreatedBy, store.Millis(i.CreatedAt), store.Millis(i.Expires), i.MaxUses)
		return err
	})
}

// SignupInvites returns the valid invitations, newest first.
func (repo *Repository) SignupInvites(ctx context.Context, now time.Time) ([]domain.SignupInvite, error) {
	rows, err := repo.db.QueryContext(ctx,
		`SELECT id, note, created_by, created_at, expires_at, max_uses, uses FROM signup_invites
		WHERE expires_at > $1 AND uses < max_uses ORDER BY created_at DESC, id`, store.Millis(now))
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (i domain.SignupInvite, err error) {
		var created, expires int64
		err = rows.Scan(&i.ID, &i.Note, &i.CreatedBy, &created, &expires, &i.MaxUses, &i.Uses)
		i.CreatedAt, i.Expires = store.Time(created), store.Time(expires)
		return i, err
	})
}

// DeleteSignupInvite deletes an invitation to the server.
func (repo *Repository) DeleteSignupInvite(ctx context.Context, id string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `DELETE FROM signup_invites WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.NotFound.Errorf(domain.CodeNoInvite, "there is no such invitation"))
		}
		return nil
	})
}

func claimSignupInvite(ctx context.Context, t *store.Tx, hash []byte, now time.Time) error {
	res, err := t.ExecContext(ctx,
		`UPDATE signup_invites SET uses = uses + 1 WHERE hash = $1 AND expires_at > $2 AND uses < max_uses`, hash,
		store.Millis(now))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, domain.Forbidden.Errorf(domain.CodeInviteEnded,
			"this invitation has expired or was used up; ask for a new one"))
	}
	return nil
}
