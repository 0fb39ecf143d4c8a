package accounts

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// CreateSignupInvite stores an invitation to the server under the hash of its code.
func (repo *Repository) CreateSignupInvite(ctx context.Context, i domain.SignupInvite, hash []byte) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx,
			`INSERT INTO signup_invites (id, hash, note, created_by, created_at, expires_at, max_uses, guest_days, rooms)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			i.ID, hash, i.Note, i.CreatedBy, store.Millis(i.CreatedAt), store.Millis(i.Expires), i.MaxUses, i.GuestDays,
			strings.Join(i.Rooms, " "))
		return err
	})
}

// SignupInvites returns the valid invitations, newest first.
func (repo *Repository) SignupInvites(ctx context.Context, now time.Time) ([]domain.SignupInvite, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+signupColumns+` FROM signup_invites
		WHERE expires_at > $1 AND uses < max_uses ORDER BY created_at DESC, id`, store.Millis(now))
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanSignup)
}

const signupColumns = `id, note, created_by, created_at, expires_at, max_uses, uses, guest_days, rooms`

func scanSignup(rows *sql.Rows) (i domain.SignupInvite, err error) {
	var created, expires int64
	var rooms string
	err = rows.Scan(&i.ID, &i.Note, &i.CreatedBy, &created, &expires, &i.MaxUses, &i.Uses, &i.GuestDays, &rooms)
	i.CreatedAt, i.Expires, i.Rooms = store.Time(created), store.Time(expires), strings.Fields(rooms)
	return i, err
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

// TakeInvite returns the invitation with rooms that an account came by, once; nothing, if there is none any more.
func TakeInvite(ctx context.Context, t *store.Tx, user string) (i domain.SignupInvite, err error) {
	rows, err := t.QueryContext(ctx, `SELECT `+signupColumns+` FROM signup_invites
		WHERE id = (SELECT guest_invite FROM users WHERE id = $1)`, user)
	if err != nil {
		return i, err
	}
	found, err := store.Collect(rows, scanSignup)
	if err != nil || len(found) == 0 {
		return i, err
	}
	_, err = t.ExecContext(ctx, `UPDATE users SET guest_invite = '' WHERE id = $1`, user)
	return found[0], err
}

func claimSignupInvite(
	ctx context.Context, t *store.Tx, hash []byte, now time.Time,
) (i domain.SignupInvite, err error) {
	rows, err := t.QueryContext(ctx, `UPDATE signup_invites SET uses = uses + 1
		WHERE hash = $1 AND expires_at > $2 AND uses < max_uses RETURNING `+signupColumns, hash, store.Millis(now))
	if err != nil {
		return i, err
	}
	found, err := store.Collect(rows, scanSignup)
	if err != nil {
		return i, err
	}
	if len(found) == 0 {
		return i, domain.Forbidden.Errorf(domain.CodeInviteEnded,
			"this invitation has expired or was used up; ask for a new one")
	}
	return found[0], nil
}
