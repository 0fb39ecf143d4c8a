package accounts

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// nameKept is how long an account whose address nobody proves keeps its username
// from others who want it.
const nameKept = 24 * time.Hour

// freeEmail makes way for user, whose address email becomes. An account that waits
// for its address to be proven has no claim on it, and goes. An earlier address of
// another account is kept for that one while its owner may still undo the change.
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

// freeUsername makes way for a new account: one that has waited for a day, and for
// which no link is good any more, goes.
func freeUsername(ctx context.Context, t *store.Tx, name string, now time.Time) error {
	return forgetPending(ctx, t, `username = $1 AND created_at < $2
		AND NOT EXISTS (SELECT 1 FROM tickets WHERE kind = 'verify_email' AND user_id = users.id
		AND expires_at > $3)`, name, store.Millis(now.Add(-nameKept)), store.Millis(now))
}

// forgetPending deletes accounts that nobody has proven, with their links.
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

// ChangeEmail uses up a link to a new address, which becomes the account's, and
// keeps undo, by whose link the old one comes back; with a nil undo it does not. That
// undoes what was done since the change was begun, not only since it was confirmed. It
// returns the old address.
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

// UndoEmail uses up the link that went to an earlier address of an account: that one
// is the account's again. Somebody else may have made the change: every session ends,
// the password is good no more, and so are the links that later addresses were sent,
// and what was added since to sign in with.
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
