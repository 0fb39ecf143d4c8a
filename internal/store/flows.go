package store

import (
	"context"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// CreateFlow keeps a sign-in on its way under its ticket's hash.
func (db *DB) CreateFlow(ctx context.Context, f domain.Flow, ticket []byte, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO flows (id, hash, kind, user_id, state, amr, created_at, expires_at) VALUES ($1, $2, 'sign_in', $3, $4, $5, $6, $7)`,
			f.ID, ticket, f.User, f.State, strings.Join(f.AMR, " "), ms(now), ms(f.Expires))
		return err
	})
}

// CompleteFlow ends a flow and begins its session, with one commit. A flow that
// has ended, or was completed before, leads to unauthorized.
func (db *DB) CompleteFlow(ctx context.Context, flow string, s domain.Session, refresh []byte, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		res, err := t.ExecContext(ctx, `DELETE FROM flows WHERE id = $1 AND expires_at > $2`, flow, ms(now))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return domain.Unauthorized.Errorf("flow_ended", "this sign-in took too long; start again")
		}
		return t.createSession(ctx, s, refresh)
	})
}

// CreateTicket keeps a single-use secret of a kind, in place of earlier ones.
func (db *DB) CreateTicket(ctx context.Context, hash []byte, kind string, expires, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.ExecContext(ctx, `DELETE FROM tickets WHERE kind = $1`, kind); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `INSERT INTO tickets (hash, kind, created_at, expires_at) VALUES ($1, $2, $3, $4)`, hash, kind, ms(now), ms(expires))
		return err
	})
}

func (t *tx) claimTicket(ctx context.Context, hash []byte, kind string, now time.Time) error {
	res, err := t.ExecContext(ctx, `DELETE FROM tickets WHERE hash = $1 AND kind = $2 AND expires_at > $3`, hash, kind, ms(now))
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = domain.Forbidden.Errorf("ticket_ended", "this link was used already or has expired; restart the server for a new one")
	}
	return err
}

// ForgetExpired removes sessions, tokens, flows and tickets that ended before a
// time.
func (db *DB) ForgetExpired(ctx context.Context, before time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		for _, q := range []string{
			`DELETE FROM flows WHERE expires_at < $1`,
			`DELETE FROM tickets WHERE expires_at < $1`,
			`DELETE FROM sessions WHERE expires_at < $1 OR idle_expires < $1 OR (revoked_at > 0 AND revoked_at < $1)`,
		} {
			if _, err := t.ExecContext(ctx, q, ms(before)); err != nil {
				return err
			}
		}
		return nil
	})
}
