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

// CreateFlow keeps a sign-in on its way under its ticket's hash, and uses up what its
// first step has shown.
func (repo *Sessions) CreateFlow(
	ctx context.Context, f domain.Flow, ticket []byte, p domain.Proof, now time.Time,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := use(ctx, t, f.User, p, now); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx,
			`INSERT INTO flows (id, hash, kind, user_id, epoch, state, amr, data, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			f.ID, ticket, "sign_in", f.User, f.Epoch, f.State, strings.Join(f.AMR, " "), f.Data, store.Millis(now),
			store.Millis(f.Expires))
		return err
	})
}

// aliveFlow finds the flow of a ticket that may be tried once more: hash, state, attempts
// and time are its first four arguments. There is nothing to guess in one that cannot be
// completed, since its user is kept out or has changed.
const aliveFlow = `hash = $1 AND state = $2 AND attempts < $3 AND expires_at > $4
	AND EXISTS (SELECT 1 FROM users u WHERE u.id = flows.user_id AND u.epoch = flows.epoch AND NOT u.disabled
	AND NOT u.pending)`

// TryFlow returns the sign-in of a ticket that is in state, and counts an attempt at
// its next step beforehand, in one commit: at the flow, and, as Reserve does, under
// each of the counters of its user. One that has ended, or has had too many attempts,
// leads to unauthorized.
func (repo *Sessions) TryFlow(
	ctx context.Context, ticket []byte, state string, most int, counters func(user string) []domain.Counter, now time.Time,
) (f domain.Flow, r domain.Reserved, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		f = domain.Flow{}
		var amr string
		var expires int64
		err := t.QueryRowContext(ctx, `UPDATE flows SET attempts = attempts + 1 WHERE `+aliveFlow+`
			RETURNING id, user_id, epoch, state, amr, data, attempts, expires_at`, ticket, state, most, store.Millis(now)).
			Scan(&f.ID, &f.User, &f.Epoch, &f.State, &amr, &f.Data, &f.Attempts, &expires)
		f.AMR, f.Expires = strings.Fields(amr), store.Time(expires)
		if errors.Is(err, sql.ErrNoRows) {
			return errFlowEnded()
		}
		if err != nil {
			return err
		}
		r, err = reserve(ctx, t, counters(f.User), now)
		return err
	})
	return f, r, err
}

// FlowUser returns whose sign-in a ticket is about that may be tried once more.
func (repo *Sessions) FlowUser(
	ctx context.Context, ticket []byte, state string, most int, now time.Time,
) (user string, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT user_id FROM flows WHERE `+aliveFlow, ticket, state, most,
		store.Millis(now)).Scan(&user)
	if errors.Is(err, sql.ErrNoRows) {
		err = errFlowEnded()
	}
	return user, err
}

// ChallengeFlow keeps what was asked of a user for the next step of a sign-in, and
// counts that as an attempt at it.
func (repo *Sessions) ChallengeFlow(
	ctx context.Context, ticket []byte, state string, most int, data string, now time.Time,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `UPDATE flows SET attempts = attempts + 1, data = $5 WHERE `+aliveFlow,
			ticket, state, most, store.Millis(now), data)
		return one(res, err, errFlowEnded())
	})
}

func errFlowEnded() error {
	return domain.Unauthorized.Errorf(domain.CodeFlowEnded,
		"this sign-in took too long or too many attempts; start again")
}

// CompleteFlow ends a flow, uses up what its last step has shown, and begins its
// session, with one commit. A flow that has ended, or was completed before, or whose
// user is disabled or has another epoch by now, leads to unauthorized, and so does a
// code that was used before.
func (repo *Sessions) CompleteFlow(
	ctx context.Context, f domain.Flow, s domain.Session, refresh []byte, p domain.Proof, now time.Time,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := standing(ctx, t, f.User, f.Epoch); err != nil {
			return err
		}
		res, err := t.ExecContext(ctx, `DELETE FROM flows WHERE id = $1 AND expires_at > $2`, f.ID, store.Millis(now))
		if err := one(res, err, errFlowEnded()); err != nil {
			return err
		}
		return begin(ctx, t, s, refresh, p)
	})
}
