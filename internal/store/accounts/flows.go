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

// CreateFlow stores a sign-in in progress under its ticket's hash, and consumes the proof of its
// first step.
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

// aliveFlow is the SQL condition for the flow of a ticket that allows another attempt. Its
// arguments $1 to $4 are hash, state, maximum attempts and time. A flow whose user is disabled or
// pending, or has another epoch, cannot be completed, so it allows none.
const aliveFlow = `hash = $1 AND state = $2 AND attempts < $3 AND expires_at > $4
	AND EXISTS (SELECT 1 FROM users u WHERE u.id = flows.user_id AND u.epoch = flows.epoch AND NOT u.disabled
	AND NOT u.pending)`

// TryFlow returns the flow of a ticket in state. In one commit it counts an attempt in the flow and
// a failure under each of the user's counters, as Reserve does, before the attempt is made. A flow
// that has ended or used up its attempts is unauthorized.
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

// FlowUser returns the user of a ticket's flow, if the flow allows another attempt.
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

// ChallengeFlow stores the challenge for the next step of a flow, and counts an attempt.
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

// CompleteFlow ends a flow, consumes the proof of its last step, and creates the session, in one
// commit. It fails with unauthorized if the flow has ended or was completed before, if the user is
// disabled or has another epoch, or if the code was used before.
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
