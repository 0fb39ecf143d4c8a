package accounts

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// CreateTicket keeps a single-use secret, in place of earlier ones of its kind
// for the same user. Of those that undo a change of address there is one for each
// earlier address.
func (repo *Repository) CreateTicket(ctx context.Context, hash []byte, k domain.Ticket, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error { return createTicket(ctx, t, hash, k, now) })
}

func createTicket(ctx context.Context, t *store.Tx, hash []byte, k domain.Ticket, now time.Time) error {
	if k.User != "" { // nobody's other tickets are for different people, or of different nodes
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

// claimTicket uses a ticket up. Of two who try, one gets it.
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

// claimAsBefore uses a ticket up for a user who is as they were when it was made:
// enabled, and of the same epoch. It locks the user.
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

// claimSetup uses up the links for a first administrator, of which each node has
// printed one.
func claimSetup(ctx context.Context, t *store.Tx, hash []byte, now time.Time) error {
	if _, err := claimTicket(ctx, t, hash, domain.SetupTicket, now); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `DELETE FROM tickets WHERE kind = $1`, domain.SetupTicket)
	return err
}

// VerifyEmail uses up a link to a new account's address: the account is open. The
// link belongs to one registration, with its name and password: once another one of
// the same address has replaced it, the link is good no more.
func (repo *Repository) VerifyEmail(ctx context.Context, hash []byte, now time.Time) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		k, err := claimTicket(ctx, t, hash, domain.VerifyTicket, now)
		if err != nil {
			return err
		}
		res, err := t.ExecContext(ctx, `UPDATE users SET pending = FALSE WHERE id = $1 AND email = $2 AND pending`, k.User,
			k.Data)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errTicketEnded(k.Kind))
		}
		u, err = oneUser(usersWhere(ctx, t, `u.id = $1`, k.User))
		return err
	})
	return u, err
}

// ResetPassword uses up a link: the account has another password, its address is
// proven, and every session, and every browser that was remembered, is out.
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

// TicketUser returns whom a ticket is about, without using it up.
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

// UseTicket uses up a ticket that changes nothing in the store by itself.
func (repo *Repository) UseTicket(
	ctx context.Context, hash []byte, kind domain.TicketKind, now time.Time,
) (k domain.Ticket, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		k, err = claimTicket(ctx, t, hash, kind, now)
		return err
	})
	return k, err
}
