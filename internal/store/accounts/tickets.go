package accounts

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// CreateTicket stores a single-use ticket. It replaces earlier ones of the same kind and user.
// Tickets that undo a change of address are replaced only if they restore the same address.
func (repo *Repository) CreateTicket(ctx context.Context, hash []byte, k domain.Ticket, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error { return createTicket(ctx, t, hash, k, now) })
}

func createTicket(ctx context.Context, t *store.Tx, hash []byte, k domain.Ticket, now time.Time) error {
	if k.User != "" { // tickets without a user are independent of each other
		if _, err := t.ExecContext(ctx, `DELETE FROM tickets WHERE kind = $1 AND user_id = $2 AND (kind <> $3 OR data = $4)`,
			k.Kind, k.User, domain.EmailUndoTicket, k.Data); err != nil {
			return err
		}
	}
	_, err := t.ExecContext(ctx,
		`INSERT INTO tickets (hash, kind, user_id, epoch, data, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		hash, k.Kind, k.User, k.Epoch, k.Data, store.Millis(now), store.Millis(k.Expires))
	return err
}

// claimTicket deletes a ticket and returns it. Of two concurrent calls one succeeds.
func claimTicket(
	ctx context.Context, t *store.Tx, hash []byte, kind domain.TicketKind, now time.Time,
) (k domain.Ticket, err error) {
	k.Kind = kind
	var created int64
	err = t.QueryRowContext(ctx,
		`DELETE FROM tickets WHERE hash = $1 AND kind = $2 AND expires_at > $3 RETURNING user_id, epoch, data, created_at`,
		hash, kind, store.Millis(now)).
		Scan(&k.User, &k.Epoch, &k.Data, &created)
	k.Created = store.Time(created)
	if errors.Is(err, sql.ErrNoRows) {
		err = errTicketEnded(kind)
	}
	return k, err
}

func errTicketEnded(kind domain.TicketKind) error {
	how := "ask for a new one"
	if kind == domain.SetupTicket {
		how = "restart the server for a new one"
	}
	return domain.Forbidden.Errorf(domain.CodeTicketEnded, "this link was used already or has expired; %s", how)
}

// claimAsBefore claims a ticket and locks its user. It fails if the user is disabled, or if the
// epoch has changed since the ticket was created.
func claimAsBefore(
	ctx context.Context, t *store.Tx, hash []byte, kind domain.TicketKind, now time.Time,
) (k domain.Ticket, u domain.User, err error) {
	if k, err = claimTicket(ctx, t, hash, kind, now); err != nil {
		return k, u, err
	}
	u, err = lockUser(ctx, t, k.User)
	if err == nil && (u.Disabled || u.Epoch != k.Epoch) {
		err = errTicketEnded(kind)
	}
	return k, u, err
}

// claimSetup claims a setup link for the first administrator, and deletes those that the other
// nodes have printed.
func claimSetup(ctx context.Context, t *store.Tx, hash []byte, now time.Time) error {
	if _, err := claimTicket(ctx, t, hash, domain.SetupTicket, now); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `DELETE FROM tickets WHERE kind = $1`, domain.SetupTicket)
	return err
}

// VerifyEmail claims the link to a new account's address and opens the account. The link is valid
// for one registration only: it fails after another registration with the same address has replaced
// that one.
func (repo *Repository) VerifyEmail(ctx context.Context, hash []byte, now time.Time) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		u, err = Verify(ctx, t, hash, now)
		return err
	})
	return u, err
}

// Verify is VerifyEmail in a transaction.
func Verify(ctx context.Context, t *store.Tx, hash []byte, now time.Time) (u domain.User, err error) {
	k, err := claimTicket(ctx, t, hash, domain.VerifyTicket, now)
	if err != nil {
		return u, err
	}
	res, err := t.ExecContext(ctx, `UPDATE users SET pending = FALSE WHERE id = $1 AND email = $2 AND pending`, k.User,
		k.Data)
	if err != nil {
		return u, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return u, errors.Join(err, errTicketEnded(k.Kind))
	}
	return oneUser(usersWhere(ctx, t, `u.id = $1`, k.User))
}

// ResetPassword claims a link and sets the password. The address counts as verified, and all
// sessions and remembered browsers end.
func (repo *Repository) ResetPassword(
	ctx context.Context, hash []byte, password string, now time.Time,
) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		k, _, err := claimAsBefore(ctx, t, hash, domain.ResetTicket, now)
		if err != nil {
			return err
		}
		if u, err = raiseEpoch(ctx, t, k.User, `password = $2, pending = FALSE`, password); err != nil {
			return err
		}
		return revoke(ctx, t, `user_id = $3`, "password_reset", now, u.ID)
	})
	return u, err
}

// TicketUser returns the user of a ticket without claiming it.
func (repo *Repository) TicketUser(
	ctx context.Context, hash []byte, kind domain.TicketKind, now time.Time,
) (domain.User, error) {
	u, err := oneUser(usersWhere(ctx, repo.db,
		`u.id = (SELECT user_id FROM tickets WHERE hash = $1 AND kind = $2 AND expires_at > $3)`, hash, kind,
		store.Millis(now)))
	if domain.KindOf(err) == domain.NotFound {
		err = errTicketEnded(kind)
	}
	return u, err
}

// UseTicket claims a ticket that has no effect in the store by itself.
func (repo *Repository) UseTicket(
	ctx context.Context, hash []byte, kind domain.TicketKind, now time.Time,
) (k domain.Ticket, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		k, err = claimTicket(ctx, t, hash, kind, now)
		return err
	})
	return k, err
}
