package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Settings returns what administrators have changed.
func (db *DB) Settings(ctx context.Context) ([]domain.Setting, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT name, value, by_id, at FROM settings ORDER BY name`)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (s domain.Setting, err error) {
		var when int64
		err = rows.Scan(&s.Name, &s.Value, &s.By, &when)
		s.At = at(when)
		return s, err
	})
}

// SetSetting keeps one setting.
func (db *DB) SetSetting(ctx context.Context, s domain.Setting) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO settings (name, value, by_id, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value, by_id = excluded.by_id, at = excluded.at`, s.Name, s.Value, s.By, ms(s.At))
		return err
	})
}

// KeepSetting keeps a setting unless there is one of this name, and returns the
// value that counts.
func (db *DB) KeepSetting(ctx context.Context, s domain.Setting) (value string, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO settings (name, value, by_id, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, s.Name, s.Value, s.By, ms(s.At))
		if err != nil {
			return err
		}
		return t.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = $1`, s.Name).Scan(&value)
	})
	return value, err
}

// CreateSignupInvite keeps an invitation to the server by its code's hash.
func (db *DB) CreateSignupInvite(ctx context.Context, i domain.SignupInvite, hash []byte) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO signup_invites (id, hash, note, created_by, created_at, expires_at, max_uses) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			i.ID, hash, i.Note, i.CreatedBy, ms(i.CreatedAt), ms(i.Expires), i.MaxUses)
		return err
	})
}

// SignupInvites lists the invitations that are still good, the newest first.
func (db *DB) SignupInvites(ctx context.Context, now time.Time) ([]domain.SignupInvite, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT id, note, created_by, created_at, expires_at, max_uses, uses FROM signup_invites
		WHERE expires_at > $1 AND uses < max_uses ORDER BY created_at DESC, id`, ms(now))
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (i domain.SignupInvite, err error) {
		var created, expires int64
		err = rows.Scan(&i.ID, &i.Note, &i.CreatedBy, &created, &expires, &i.MaxUses, &i.Uses)
		i.CreatedAt, i.Expires = at(created), at(expires)
		return i, err
	})
}

// DeleteSignupInvite ends an invitation to the server.
func (db *DB) DeleteSignupInvite(ctx context.Context, id string) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		res, err := t.ExecContext(ctx, `DELETE FROM signup_invites WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.NotFound.Errorf("no_invite", "there is no such invitation"))
		}
		return nil
	})
}

func (t *tx) claimSignupInvite(ctx context.Context, hash []byte, now time.Time) error {
	res, err := t.ExecContext(ctx, `UPDATE signup_invites SET uses = uses + 1 WHERE hash = $1 AND expires_at > $2 AND uses < max_uses`, hash, ms(now))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, domain.Forbidden.Errorf("invite_ended", "this invitation was used already or has expired; ask for another"))
	}
	return nil
}
