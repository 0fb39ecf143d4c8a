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

// CreateFlow keeps a sign-in on its way under its ticket's hash.
func (repo *Sessions) CreateFlow(ctx context.Context, f domain.Flow, ticket []byte, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO flows (id, hash, kind, user_id, epoch, state, amr, data, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			f.ID, ticket, "sign_in", f.User, f.Epoch, f.State, strings.Join(f.AMR, " "), f.Data, store.Millis(now), store.Millis(f.Expires))
		return err
	})
}

// TryFlow returns the sign-in of a ticket that is in state, and counts an
// attempt at its next step beforehand. One that has ended, or has had too many
// attempts, leads to unauthorized.
func (repo *Sessions) TryFlow(ctx context.Context, ticket []byte, state string, most int, now time.Time) (f domain.Flow, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		f = domain.Flow{}
		var amr string
		var expires int64
		err := t.QueryRowContext(ctx, `UPDATE flows SET attempts = attempts + 1 WHERE hash = $1 AND state = $2 AND attempts < $3 AND expires_at > $4
			RETURNING id, user_id, epoch, state, amr, data, attempts, expires_at`, ticket, state, most, store.Millis(now)).
			Scan(&f.ID, &f.User, &f.Epoch, &f.State, &amr, &f.Data, &f.Attempts, &expires)
		f.AMR, f.Expires = strings.Fields(amr), store.Time(expires)
		if errors.Is(err, sql.ErrNoRows) {
			return errFlowEnded()
		}
		return err
	})
	return f, err
}

// SetFlowData keeps what the next step of a sign-in will need.
func (repo *Sessions) SetFlowData(ctx context.Context, flow, data string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
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
func (repo *Sessions) CompleteFlow(ctx context.Context, f domain.Flow, s domain.Session, refresh []byte, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := standing(ctx, t, f.User, f.Epoch); err != nil {
			return err
		}
		res, err := t.ExecContext(ctx, `DELETE FROM flows WHERE id = $1 AND expires_at > $2`, f.ID, store.Millis(now))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errFlowEnded())
		}
		return createSession(ctx, t, s, refresh)
	})
}
