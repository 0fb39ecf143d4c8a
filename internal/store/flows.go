package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// CreateFlow keeps a sign-in on its way under its ticket's hash.
func (db *DB) CreateFlow(ctx context.Context, f domain.Flow, ticket []byte, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO flows (id, hash, kind, user_id, epoch, state, amr, data, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			f.ID, ticket, "sign_in", f.User, f.Epoch, f.State, strings.Join(f.AMR, " "), f.Data, ms(now), ms(f.Expires))
		return err
	})
}

// TryFlow returns the sign-in of a ticket that is in state, and counts an
// attempt at its next step beforehand. One that has ended, or has had too many
// attempts, leads to unauthorized.
func (db *DB) TryFlow(ctx context.Context, ticket []byte, state string, most int, now time.Time) (f domain.Flow, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		f = domain.Flow{}
		var amr string
		var expires int64
		err := t.QueryRowContext(ctx, `UPDATE flows SET attempts = attempts + 1 WHERE hash = $1 AND state = $2 AND attempts < $3 AND expires_at > $4
			RETURNING id, user_id, epoch, state, amr, data, attempts, expires_at`, ticket, state, most, ms(now)).
			Scan(&f.ID, &f.User, &f.Epoch, &f.State, &amr, &f.Data, &f.Attempts, &expires)
		f.AMR, f.Expires = strings.Fields(amr), at(expires)
		if errors.Is(err, sql.ErrNoRows) {
			return errFlowEnded()
		}
		return err
	})
	return f, err
}

// SetFlowData keeps what the next step of a sign-in will need.
func (db *DB) SetFlowData(ctx context.Context, flow, data string) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `UPDATE flows SET data = $2 WHERE id = $1`, flow, data)
		return err
	})
}

func errFlowEnded() error {
	return domain.Unauthorized.Errorf("flow_ended", "this sign-in took too long or too many attempts; start again")
}

// CompleteFlow ends a flow and begins its session, with one commit. A flow that
// has ended, or was completed before, or whose user is disabled or has another
// epoch by now, leads to unauthorized.
func (db *DB) CompleteFlow(ctx context.Context, f domain.Flow, s domain.Session, refresh []byte, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.standing(ctx, f.User, f.Epoch); err != nil {
			return err
		}
		res, err := t.ExecContext(ctx, `DELETE FROM flows WHERE id = $1 AND expires_at > $2`, f.ID, ms(now))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errFlowEnded())
		}
		return t.createSession(ctx, s, refresh)
	})
}

// purgePending is how long an account waits for its e-mail address to be proven.
const purgePending = 7 * 24 * time.Hour

// ForgetExpired removes sessions, tokens, flows, tickets and counters that ended
// before a time, and accounts whose address nobody proved within a week.
func (db *DB) ForgetExpired(ctx context.Context, before time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		for _, q := range []string{
			`DELETE FROM flows WHERE expires_at < $1`,
			`DELETE FROM tickets WHERE expires_at < $1`,
			`DELETE FROM sessions WHERE expires_at < $1 OR idle_expires < $1 OR (revoked_at > 0 AND revoked_at < $1)`,
			`DELETE FROM attempts WHERE at < $1 AND locked_until < $1`,
			`DELETE FROM remembered WHERE expires_at < $1`,
			`DELETE FROM totp WHERE confirmed = 0 AND expires < $1`,
		} {
			if _, err := t.ExecContext(ctx, q, ms(before)); err != nil {
				return err
			}
		}
		_, err := t.ExecContext(ctx, `DELETE FROM users WHERE pending AND created_at < $1`, ms(before.Add(-purgePending)))
		return err
	})
}
