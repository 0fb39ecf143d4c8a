package accounts

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/store"
)

// purgePending is how long a pending account waits for its e-mail address to be verified.
const purgePending = 7 * 24 * time.Hour

// ForgetExpired deletes sessions, flows, tickets, counters and remembered browsers that ended
// before a time, clears expired statuses, and deletes accounts that have been pending for a week.
func (repo *Sessions) ForgetExpired(ctx context.Context, before time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		for _, q := range []string{
			`DELETE FROM flows WHERE expires_at < $1`,
			`DELETE FROM tickets WHERE expires_at < $1`,
			`DELETE FROM sessions WHERE expires_at < $1 OR idle_expires < $1 OR (revoked_at > 0 AND revoked_at < $1)`,
			`DELETE FROM attempts WHERE at < $1 AND locked_until < $1`,
			`DELETE FROM remembered WHERE expires_at < $1`,
			`DELETE FROM totp WHERE confirmed = 0 AND expires < $1`,
			`UPDATE users SET status_text = '', status_emoji = '', status_expires = 0 WHERE status_expires > 0
				AND status_expires < $1`,
		} {
			if _, err := t.ExecContext(ctx, q, store.Millis(before)); err != nil {
				return err
			}
		}
		_, err := t.ExecContext(ctx, `DELETE FROM users WHERE pending AND created_at < $1`,
			store.Millis(before.Add(-purgePending)))
		return err
	})
}
