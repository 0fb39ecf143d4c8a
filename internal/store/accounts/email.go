package accounts

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// nameKept is how long an account with an unverified e-mail address reserves its username.
const nameKept = 24 * time.Hour

// freeEmail makes email available to user. It deletes a pending account with this address, which
// has not verified it. It fails if the address is the former one of another account that may still
// undo its change.
func freeEmail(ctx context.Context, t *store.Tx, user, email string, now time.Time) error {
	if email == "" {
		return nil
	}
	var kept bool
	err := t.QueryRowContext(ctx,
		`SELECT EXISTS (SELECT 1 FROM tickets WHERE kind = 'email_undo' AND data = $1 AND user_id <> $2 AND expires_at > $3)`,
		email, user, store.Millis(now)).Scan(&kept)
	if err != nil {
		return err
	}
	if kept {
		return errEmailTaken()
	}
	return forgetPending(ctx, t, `email = $1 AND id <> $2`, email, user)
}

// freeUsername makes name available to a new account. It deletes a pending account of that name
// which is older than nameKept and has no valid verification link.
func freeUsername(ctx context.Context, t *store.Tx, name string, now time.Time) error {
	return forgetPending(ctx, t, `username = $1 AND created_at < $2
		AND NOT EXISTS (SELECT 1 FROM tickets WHERE kind = 'verify_email' AND user_id = users.id
		AND expires_at > $3)`, name, store.Millis(now.Add(-nameKept)), store.Millis(now))
}

// forgetPending deletes pending accounts and their tickets.
func forgetPending(ctx context.Context, t *store.Tx, which string, args ...any) error {
	rows, err := t.QueryContext(ctx, `DELETE FROM users WHERE pending AND `+which+` RETURNING id`, args...)
	if err != nil {
		return err
	}
	gone, err := store.Collect(rows, store.ScanString)
	if err != nil || len(gone) == 0 {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM tickets WHERE user_id IN (`+store.Placeholders(1, len(gone))+`)`,
		store.Args(gone)...)
	return err
}

// ChangeEmail claims a link to a new e-mail address, sets the address, and returns the old one. If
// undo is not nil, it is the hash of a new ticket, valid until until, that restores the old
// address. Undoing also removes what was added since the change was requested, not only since it
// was confirmed.
func (repo *Repository) ChangeEmail(
	ctx context.Context, hash, undo []byte, until, now time.Time,
) (u domain.User, old string, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		k, before, err := claimAsBefore(ctx, t, hash, domain.EmailTicket, now)
		if err != nil {
			return err
		}
		old = before.Email
		if err := freeEmail(ctx, t, k.User, k.Data, now); err != nil {
			return err
		}
		if u, err = changeUser(ctx, t, k.User, `email = $2`, k.Data); err != nil || old == "" || undo == nil {
			return err
		}
		return createTicket(ctx, t, undo, domain.Ticket{Kind: domain.EmailUndoTicket, User: u.ID, Data: old, Expires: until},
			k.Created)
	})
	return u, old, emailTaken(err)
}

// UndoEmail claims the undo link that was sent to a former address, and restores that address.
// Since somebody else may have made the change, it ends all sessions, voids the password, and
// deletes later undo links and the sign-in methods added since.
func (repo *Repository) UndoEmail(
	ctx context.Context, hash []byte, now time.Time,
) (u domain.User, removed domain.RemovedFactors, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		k, err := claimTicket(ctx, t, hash, domain.EmailUndoTicket, now)
		if err != nil {
			return err
		}
		if err := freeEmail(ctx, t, k.User, k.Data, now); err != nil {
			return err
		}
		if u, err = raiseEpoch(ctx, t, k.User, `email = $2, password = ''`, k.Data); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM tickets WHERE user_id = $1 AND kind = $2 AND created_at >= $3`, u.ID,
			domain.EmailUndoTicket, store.Millis(k.Created))
		if err != nil {
			return err
		}
		if removed, err = removeAdded(ctx, t, u.ID, k.Created); err != nil {
			return err
		}
		return revoke(ctx, t, `user_id = $3`, "email_undone", now, u.ID)
	})
	return u, removed, emailTaken(err)
}

func emailTaken(err error) error {
	if store.IsUnique(err) {
		return errEmailTaken().Because(err)
	}
	return err
}

func errEmailTaken() *domain.Error {
	return domain.Conflict.Errorf(domain.CodeEmailTaken,
		"another account has this e-mail address; sign in, or ask for a new password")
}
